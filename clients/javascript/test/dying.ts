/** Reports 500 events and kills itself, in the middle of sending. */

import { Client, Reporter, Spool } from "../src/index.js";
import type { Server } from "./setup.js";

const [place = "", text = ""] = process.argv.slice(2);
const server = JSON.parse(text) as Server;
const reporter = new Reporter(new Client(server.url, server.platformSecret, { retries: 0 }), new Spool(place));
for (let n = 0; n < 500; n++) {
  reporter.report({ id: `js-dying-${n}`, organization: server.organization, meter: "requests" });
  if (n === 250) void reporter.flush().catch(() => undefined);
  if (n % 50 === 0) await new Promise((go) => setImmediate(go));
}
process.kill(process.pid, "SIGKILL");
