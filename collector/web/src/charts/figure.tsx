/** What surrounds a chart: its title, its legend, what it says in words, and saving it. */

import type { ComponentChildren } from "preact";
import { useId, useRef } from "preact/hooks";
import { exactMoment } from "../format/time";
import type { Extent } from "../history/range";
import { save } from "../ui/download";
import { Icon } from "../ui/icons";
import { Untrusted } from "../ui/untrusted";
import { useShown } from "./context";
import { pictureOf } from "./picture";

interface ChartFigureProps {
  readonly id: string;
  readonly title: string;
  /** What it is of, where a node chose that word. */
  readonly subject?: string | undefined;
  readonly summary: string;
  readonly canvas: () => HTMLCanvasElement | null;
  readonly legend?: ComponentChildren;
  readonly actions?: ComponentChildren;
  readonly class?: string;
  /** Stands below the drawing. */
  readonly below?: ComponentChildren;
  readonly children: ComponentChildren;
}

export function ChartFigure(props: ChartFigureProps) {
  const { id, title, subject, summary, canvas, legend, actions } = props;
  const figure = useRef<HTMLElement>(null);
  const captionId = useId();
  const { nodeId, nodeName, extent, inWords = inMoments } = useShown();
  const name = subject ? `${title} ${subject}` : title;
  const savePicture = () => {
    const drawn = canvas();
    if (!drawn || !figure.current) return;
    const heading = [nodeName, name, inWords(extent)];
    const picture = pictureOf(drawn, figure.current, heading.join(" · "));
    picture.toBlob((blob) => {
      if (blob) save(blob, `${nodeId}-${id.replace(/[^a-z0-9.-]+/gi, "-")}.png`);
    });
  };
  return (
    <figure
      ref={figure}
      class={`panel chart ${props.class ?? ""}`}
      data-chart={id}
      data-to={extent.to}
      aria-labelledby={captionId}
    >
      <figcaption>
        <h3 id={captionId}>
          {title}
          {subject !== undefined && (
            <>
              {" "}
              <span class="chart-subject">
                <Untrusted text={subject} />
              </span>
            </>
          )}
        </h3>
        {legend}
        <span class="chart-actions">
          {actions}
          <button
            type="button"
            class="button-icon button-tiny"
            aria-label={`Save ${name} as PNG`}
            title="Save as PNG"
            onClick={savePicture}
          >
            <Icon name="image" />
          </button>
        </span>
      </figcaption>
      <div class="chart-drawing" role="img" aria-label={`${name}: ${summary}`}>
        {props.children}
      </div>
      {props.below}
    </figure>
  );
}

function inMoments({ from, to }: Extent): string {
  return `${exactMoment(from)} – ${exactMoment(to)}`;
}
