import type { IncomingMessage, ServerResponse } from "node:http";

import { ask, isRefusal, report, type GateOptions, type Passage } from "./gate.js";

/** Of Express's request, what is needed here. */
export interface ExpressRequest extends IncomingMessage {
  ip?: string | undefined;
  baseUrl: string;
  path: string;
  route?: { path: unknown };
  tollgate?: Passage;
}

/**
 * Express middleware: `app.use(gate({ client, reporter, rule: { meter: "requests" } }))`. It refuses what may not pass,
 * sets `request.tollgate`, and reports what was served.
 */
export function gate<Request extends ExpressRequest>(options: GateOptions<Request>) {
  const asked: GateOptions<Request> = { ip: (request) => request.ip, ...options };
  return (request: Request, response: ServerResponse, next: (error?: unknown) => void): void => {
    ask(asked, request, request.headers).then((answer) => {
      if (answer === undefined) return next();
      if (isRefusal(answer)) {
        response.writeHead(answer.status, headers(answer.status));
        return response.end(JSON.stringify(answer.problem));
      }
      request.tollgate = answer;
      const path = request.baseUrl + request.path; // of now: routers below change it
      response.once("close", () => report(options.reporter, answer, route(request) ?? path, response));
      return next();
    }, next);
  };
}

/** The route's pattern, so that a customer's ids make no endpoints of their own; undefined if there's none. */
function route(request: ExpressRequest): string | undefined {
  return typeof request.route?.path === "string" ? request.baseUrl + request.route.path : undefined;
}

function headers(status: number): Record<string, string> {
  return { "Content-Type": "application/problem+json", ...(status === 401 && { "WWW-Authenticate": "Bearer" }) };
}
