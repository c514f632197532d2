/** Text that a machine sent: isolated, so that its direction stays its own. */

interface UntrustedProps {
  readonly text: string;
  /** Said in full on hovering, where the text is a short form. */
  readonly title?: string;
}

export function Untrusted({ text, title = text }: UntrustedProps) {
  return <bdi title={title}>{text}</bdi>;
}
