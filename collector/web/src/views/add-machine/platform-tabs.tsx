/** Which system the new machine runs. */

import { PLATFORM_NAMES, PLATFORMS, type Platform } from "./instructions";

interface PlatformTabsProps {
  readonly platform: Platform;
  readonly onChange: (platform: Platform) => void;
  /** The id of the element that shows what was chosen. */
  readonly panel: string;
}

export function tabId(panel: string, platform: Platform): string {
  return `${panel}-${platform}`;
}

export function PlatformTabs({ platform, onChange, panel }: PlatformTabsProps) {
  return (
    <div class="tabs" role="tablist" aria-label="Operating system">
      {PLATFORMS.map((one) => (
        <button
          key={one}
          type="button"
          role="tab"
          id={tabId(panel, one)}
          aria-selected={one === platform}
          aria-controls={panel}
          tabIndex={one === platform ? 0 : -1}
          onClick={() => {
            onChange(one);
          }}
          onKeyDown={(event) => {
            const step = event.key === "ArrowRight" ? 1 : event.key === "ArrowLeft" ? -1 : 0;
            if (step === 0) return;
            const to =
              PLATFORMS[(PLATFORMS.indexOf(one) + step + PLATFORMS.length) % PLATFORMS.length];
            if (to === undefined) return;
            onChange(to);
            document.getElementById(tabId(panel, to))?.focus();
          }}
        >
          {PLATFORM_NAMES[one]}
        </button>
      ))}
    </div>
  );
}
