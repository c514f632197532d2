/** An operating system's name without what is only its epithet: "Debian GNU/Linux 12 (bookworm)". */
export function briefOs(os: string): string {
  return os.replace(/ GNU\/Linux\b/, "").replace(/ \([^()]*\)$/, "");
}
