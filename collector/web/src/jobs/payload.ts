/** What a job is given to work on: from a file or from what somebody typed. */

import type { JobType } from "../wire/jobs";

/** MAX_INLINE_BYTES and MAX_FILE_BYTES of job_messages.py. */
export const MOST_INLINE_BYTES = 1024 * 1024;
export const MOST_FILE_BYTES = 256 * 1024 * 1024;

/** No text that a type takes begins so: it was meant as JSON. */
const BEGINS_JSON = /^\s*[{[]/;

/** As it is sent: JSON, and how large it is. */
export interface Payload {
  readonly json: Blob;
  /** What was made of what there was, in words. */
  readonly words: string;
}

export class UnusablePayload extends Error {
  override name = "UnusablePayload";
}

/** Whether a type takes a plain text, as prodplan takes instances in the field's own formats. */
export function takesText(type: JobType | undefined, name: string): boolean {
  const schema = type?.payload_schema;
  if (typeof schema === "object" && schema !== null && JSON.stringify(schema).includes('"text"')) {
    return true;
  }
  return name === "prodplan";
}

/** What a file says: in UTF-8, or by its byte order mark in UTF-16, which PowerShell writes. */
export async function textOf(file: Blob): Promise<string> {
  const content = await file.arrayBuffer();
  const mark = new Uint8Array(content, 0, Math.min(2, content.byteLength)).join(" ");
  const encoding = { "255 254": "utf-16le", "254 255": "utf-16be" }[mark] ?? "utf-8";
  return new TextDecoder(encoding).decode(content);
}

/** JSON goes as it is, digit by digit; a text that is none in {"text": …}, where that is taken. */
export function payloadOf(content: string, asText: boolean): Payload {
  if (content.trim() === "") {
    if (asText) throw new UnusablePayload("It is empty.");
    return { json: new Blob(["null"]), words: "null" };
  }
  let fault: string;
  try {
    JSON.parse(content);
    return { json: new Blob([content]), words: "JSON" };
  } catch (error) {
    fault = error instanceof Error ? error.message : String(error);
  }
  if (!asText || BEGINS_JSON.test(content)) throw new UnusablePayload(`It is not JSON: ${fault}`);
  if (content.includes("\u0000")) throw new UnusablePayload("It is neither JSON nor a text.");
  return { json: new Blob([JSON.stringify({ text: content })]), words: 'text, sent as {"text": …}' };
}
