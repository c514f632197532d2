/**
 * SHA-256 (FIPS 180-4), of bytes as they come. The browser's own exists on https and localhost
 * only, and takes nothing but the whole at once.
 */

const BLOCK = 64;

const K = new Uint32Array(64);
const START = new Uint32Array(8);

/** The constants are the first 32 bits of the fractions of roots of the first primes. */
function fill(): void {
  let found = 0;
  for (let candidate = 2; found < 64; candidate += 1) {
    let isPrime = true;
    for (let factor = 2; factor * factor <= candidate; factor += 1) {
      if (candidate % factor === 0) isPrime = false;
    }
    if (!isPrime) continue;
    if (found < 8) START[found] = fraction(Math.sqrt(candidate));
    K[found] = fraction(Math.cbrt(candidate));
    found += 1;
  }
}

function fraction(root: number): number {
  return ((root - Math.floor(root)) * 2 ** 32) >>> 0;
}

fill();

export class Sha256 {
  readonly #state = START.slice();
  readonly #block = new Uint8Array(BLOCK);
  readonly #words = new Uint32Array(64);
  #filled = 0;
  #length = 0;

  update(bytes: Uint8Array): this {
    this.#length += bytes.length;
    let from = 0;
    while (from < bytes.length) {
      const taken = Math.min(BLOCK - this.#filled, bytes.length - from);
      this.#block.set(bytes.subarray(from, from + taken), this.#filled);
      this.#filled += taken;
      from += taken;
      if (this.#filled === BLOCK) this.#compress();
    }
    return this;
  }

  /** The digest in hex; nothing can be added after it. */
  hex(): string {
    const bits = this.#length * 8;
    this.update(Uint8Array.of(0x80));
    while (this.#filled !== BLOCK - 8) this.update(Uint8Array.of(0));
    const end = new DataView(new ArrayBuffer(8));
    end.setUint32(0, Math.floor(bits / 2 ** 32));
    end.setUint32(4, bits >>> 0);
    this.update(new Uint8Array(end.buffer));
    return Array.from(this.#state, (word) => word.toString(16).padStart(8, "0")).join("");
  }

  #compress(): void {
    const words = this.#words;
    const view = new DataView(this.#block.buffer);
    for (let place = 0; place < 16; place += 1) words[place] = view.getUint32(place * 4);
    for (let place = 16; place < 64; place += 1) {
      const early = words[place - 15] ?? 0;
      const late = words[place - 2] ?? 0;
      const s0 = turn(early, 7) ^ turn(early, 18) ^ (early >>> 3);
      const s1 = turn(late, 17) ^ turn(late, 19) ^ (late >>> 10);
      words[place] = (words[place - 16] ?? 0) + s0 + (words[place - 7] ?? 0) + s1;
    }
    let [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0, g = 0, h = 0] = this.#state;
    for (let place = 0; place < 64; place += 1) {
      const s1 = turn(e, 6) ^ turn(e, 11) ^ turn(e, 25);
      const choice = (e & f) ^ (~e & g);
      const first = (h + s1 + choice + (K[place] ?? 0) + (words[place] ?? 0)) | 0;
      const s0 = turn(a, 2) ^ turn(a, 13) ^ turn(a, 22);
      const majority = (a & b) ^ (a & c) ^ (b & c);
      h = g;
      g = f;
      f = e;
      e = (d + first) | 0;
      d = c;
      c = b;
      b = a;
      a = (first + s0 + majority) | 0;
    }
    for (const [place, word] of [a, b, c, d, e, f, g, h].entries()) {
      this.#state[place] = (this.#state[place] ?? 0) + word;
    }
    this.#filled = 0;
  }
}

function turn(word: number, by: number): number {
  return (word >>> by) | (word << (32 - by));
}

const PIECE_BYTES = 4 * 1024 * 1024;

/** A large file's digest, piece by piece, so that the page goes on meanwhile. */
export async function digestOf(content: Blob, onPart: (done: number) => void): Promise<string> {
  const digest = new Sha256();
  for (let from = 0; from < content.size; from += PIECE_BYTES) {
    digest.update(new Uint8Array(await content.slice(from, from + PIECE_BYTES).arrayBuffer()));
    onPart(Math.min(content.size, from + PIECE_BYTES));
  }
  return digest.hex();
}
