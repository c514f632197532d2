/** Text that a machine sent: isolated, so that its direction stays its own. */

interface UntrustedProps {
  readonly text: string;
  readonly class?: string;
}

export function Untrusted({ text, class: className }: UntrustedProps) {
  return (
    <bdi class={className} title={text}>
      {text}
    </bdi>
  );
}
