/** What to type on a new machine. */

export const PLATFORMS = ["linux", "macos", "windows"] as const;
export type Platform = (typeof PLATFORMS)[number];

export const PLATFORM_NAMES: Readonly<Record<Platform, string>> = {
  linux: "Linux",
  macos: "macOS",
  windows: "Windows",
};

/** What lets a collector be reached by others; it says the rest itself. */
export const LISTEN_TO_OTHERS = "--host 0.0.0.0 --tls auto";

export interface Step {
  readonly title: string;
  readonly text: string;
  readonly note?: string;
}

export interface Settings {
  readonly nodeId: string;
  readonly centralUrl: string;
  readonly token: string;
  /** The collector has an authority of its own, whose certificate lies beside the file. */
  readonly ownAuthority: boolean;
}

/** The lines of the agent's .env file. */
export function envFile({ nodeId, centralUrl, token, ownAuthority }: Settings): string {
  return [
    `NODE_ID=${nodeId}`,
    `CENTRAL_URL=${centralUrl}`,
    ...(ownAuthority ? ["FORGE_CA_FILE=ca.pem"] : []),
    `BEARER_TOKEN=${token}`,
  ].join("\n");
}

export function steps(platform: Platform): {
  readonly install: Step;
  readonly open: Step;
  readonly run: Step;
} {
  return platform === "windows" ? WINDOWS : UNIX;
}

const UNIX = {
  install: {
    title: "Install the agent, in a clone of this repository on that machine",
    text: "python3 -m venv .venv && .venv/bin/pip install .",
    note: "Needs Python 3.11 or newer.",
  },
  open: {
    title: "Open its settings file",
    text: "(umask 077; cat > .env)",
    note: "Only you can read the file, and the token stays out of the shell’s history.",
  },
  run: { title: "Start it", text: ".venv/bin/forge-agent run" },
} as const;

const WINDOWS = {
  install: {
    title: "Install the agent, in PowerShell, in a clone of this repository",
    text: "py -m venv .venv\n.venv\\Scripts\\pip install .",
    note: "Needs Python 3.11 or newer.",
  },
  open: {
    title: "Open its settings file",
    text: "notepad .env",
    note: "Notepad offers to create the file: say yes.",
  },
  run: { title: "Start it", text: ".venv\\Scripts\\forge-agent run" },
} as const;

/** The platform of the browser, which is often the kind of machine to be added next. */
export function platformOf(userAgent: string): Platform {
  if (userAgent.includes("Windows")) return "windows";
  return /Macintosh|Mac OS X/.test(userAgent) ? "macos" : "linux";
}

/** Whether other machines cannot reach this address, because it means "myself" to each of them. */
export function isLoopback(url: string): boolean {
  try {
    const { hostname } = new URL(url);
    return /^(localhost|.+\.localhost|127(\.\d+){3}|\[::1\])$/.test(hostname);
  } catch {
    return false;
  }
}

/** The first of machine-2, machine-3, … that no machine has. */
export function freeNodeId(taken: { has(id: string): boolean; size: number }): string {
  let number = Math.max(2, taken.size + 1);
  while (taken.has(`machine-${number}`)) number += 1;
  return `machine-${number}`;
}
