/** The shared worker: nothing but a hub that every tab connects to. */

import { FleetHub } from "./hub";

const hub = new FleetHub();

addEventListener("connect", (event) => {
  const [port] = (event as MessageEvent).ports;
  if (port) hub.add(port);
});
