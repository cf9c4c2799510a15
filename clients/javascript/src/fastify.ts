import type { IncomingHttpHeaders, ServerResponse } from "node:http";

import { ask, isRefusal, report, type GateOptions, type Passage } from "./gate.js";

/** Of Fastify's request, reply and instance, what is needed here. */
export interface FastifyRequest {
  headers: IncomingHttpHeaders;
  ip: string;
  url: string;
  routeOptions: { url?: string | undefined };
  tollgate?: Passage;
}

interface Reply {
  raw: ServerResponse;
  code(status: number): Reply;
  header(name: string, value: string): Reply;
  send(body: string): Reply;
}

interface Instance<Request> {
  decorateRequest(name: string): unknown;
  addHook(name: "onRequest", hook: (request: Request, reply: Reply) => Promise<unknown>): unknown;
}

/**
 * Gates every route of a Fastify instance, which may be the root or a plugin's own:
 * `gate(app, { client, reporter, rule: { meter: "requests" } })`. It refuses what may not pass, sets
 * `request.tollgate`, and reports what was served.
 */
export function gate<Request extends FastifyRequest>(app: Instance<Request>, options: GateOptions<Request>): void {
  const asked: GateOptions<Request> = { ip: (request) => request.ip, ...options };
  app.decorateRequest("tollgate");
  app.addHook("onRequest", async (request, reply) => {
    const answer = await ask(asked, request, request.headers);
    if (answer === undefined) return undefined;
    if (isRefusal(answer)) {
      if (answer.status === 401) reply.header("WWW-Authenticate", "Bearer");
      return reply.code(answer.status).header("Content-Type", "application/problem+json").send(JSON.stringify(answer.problem));
    }
    request.tollgate = answer;
    const endpoint = request.routeOptions.url ?? request.url.replace(/[?#].*/s, "");
    reply.raw.once("close", () => report(options.reporter, answer, endpoint, reply.raw));
    return undefined;
  });
}
