/** The shared worker: nothing but a hub that every tab connects to. */

import { Hub } from "./hub";

const hub = new Hub();

addEventListener("connect", (event) => {
  const [port] = (event as MessageEvent).ports;
  if (port) hub.add(port);
});
