/** Gives the reader a file that the page made. */
export function save(content: Blob, name: string): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(content);
  link.download = name;
  link.click();
  // The browser has taken it up by then; until the page is left it would hold the memory.
  setTimeout(() => {
    URL.revokeObjectURL(link.href);
  }, 10_000);
}
