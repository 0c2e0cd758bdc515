// The edge's HTTP API, as far as the page uses it. Every call has a deadline, and fails with an ApiError.
import { token } from "./me.ts";
import { readDocument, type FlowDocument } from "./model/document.ts";
import { text } from "./text.ts";

const DEADLINE = 15_000; // ms

/** ApiError is a refusal, with a sentence for people. */
export class ApiError extends Error {
  override readonly name = "ApiError";
  /** The HTTP status; 0: no answer came. */
  readonly status: number;
  readonly code: string;

  constructor(status: number, code: string) {
    super(sentence(status));
    this.status = status;
    this.code = code;
  }
}

function sentence(status: number): string {
  const { problem } = text;
  return { 0: problem.network, 401: problem.unauthenticated, 403: problem.unauthorized, 404: problem.notFound, 412: problem.exists, 413: problem.tooLarge, 422: problem.other }[status] ?? problem.other;
}

export interface FlowSummary {
  readonly id: string;
  readonly title: string;
  readonly nodes: number;
  readonly edges: number;
  /** Names the state of its document: another one, another key. */
  readonly version: string;
  /** Milliseconds since 1970; 0: never changed. */
  readonly changed: number;
  /** How many clients are in it now. */
  readonly here: number;
  /** Who of them shows themselves; empty where that was not asked for. */
  readonly people: readonly { readonly name: string; readonly color: string }[];
}

interface Call {
  readonly method?: string;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal | undefined;
}

async function call(path: string, { method = "GET", body, headers, signal }: Call = {}): Promise<Response> {
  const timeout = AbortSignal.timeout(DEADLINE);
  let answer: Response;
  try {
    answer = await fetch(path, {
      method,
      signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
      headers: {
        ...(body !== undefined && { "content-type": "application/json" }),
        ...(token() && { authorization: `Bearer ${token()}` }),
        ...headers,
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new ApiError(0, "network");
  }
  if (answer.ok) return answer;
  const problem = await answer.json().catch(() => ({})) as { code?: unknown };
  throw new ApiError(answer.status, typeof problem.code === "string" ? problem.code : "");
}

const flowPath = (id: string) => `/api/flows/${encodeURIComponent(id)}`;

interface RawSummary {
  flow_id: string; title: string; nodes: number; edges: number; epoch: string; seq: number;
  created_at: string | null; updated_at: string | null; client_count: number; up_to_date: boolean;
  members?: { client_id: string; user_id: string | null; name: string | null; color: string | null }[];
}

/** How many flows the edge tells of with their members at once. */
export const MOST_WITH_MEMBERS = 100;

/** listFlows gives the flows, last changed first, and where the next ones begin. */
export async function listFlows({ cursor, limit = MOST_WITH_MEMBERS, signal }: { cursor?: string | undefined; limit?: number; signal?: AbortSignal } = {}): Promise<{ flows: FlowSummary[]; next: string | undefined }> {
  const query = new URLSearchParams({ limit: String(limit), ...(limit <= MOST_WITH_MEMBERS && { members: "true" }), ...(cursor && { cursor }) });
  const answer = await call(`/api/flows?${query.toString()}`, { signal });
  const { flows, next_cursor: next } = await answer.json() as { flows: RawSummary[]; next_cursor: string | null };
  return {
    flows: flows.map((flow) => ({
      id: flow.flow_id, title: flow.title, nodes: flow.nodes, edges: flow.edges, version: `${flow.epoch}-${String(flow.seq)}`,
      changed: Date.parse(flow.updated_at ?? flow.created_at ?? "") || 0, here: flow.client_count,
      people: (flow.members ?? []).map(({ name, user_id: userId, color }) => ({ name: name ?? userId ?? text.somebody, color: color && CSS.supports("color", color) ? color : "var(--muted)" })),
    })),
    next: next ?? undefined,
  };
}

/** getFlow reads a flow's document, in the builder's form. */
export async function getFlow(id: string, signal?: AbortSignal): Promise<FlowDocument> {
  return readDocument(await (await call(flowPath(id), { signal })).json());
}

/** getRawFlow reads a flow's document with all that is in it: for copies and files. */
export async function getRawFlow(id: string): Promise<FlowDocument> {
  return await (await call(flowPath(id))).json() as FlowDocument;
}

/** createFlow makes a new flow; one that is there already is left alone (412). */
export async function createFlow(id: string, document: FlowDocument): Promise<void> {
  await call(flowPath(id), { method: "PUT", body: document, headers: { "if-none-match": "*" } });
}

export async function changeFlow(id: string, changes: object): Promise<void> {
  await call(`${flowPath(id)}/changes`, { method: "POST", body: { changes } });
}

export async function deleteFlow(id: string): Promise<void> {
  await call(flowPath(id), { method: "DELETE" });
}

/** Version is one kept state of a flow. */
export interface Version {
  readonly id: string;
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly by: readonly string[];
  readonly title: string;
  readonly nodes: number;
  readonly edges: number;
  /** Given by a person; empty: kept by time. */
  readonly name: string;
}

interface RawVersion {
  id: string; at: string | null; by: { user_id: string | null; name: string | null }[];
  title: string; nodes: number; edges: number; name: string | null;
}

export async function listVersions(id: string, signal?: AbortSignal): Promise<Version[]> {
  const { versions } = await (await call(`${flowPath(id)}/versions`, { signal })).json() as { versions: RawVersion[] };
  return versions.map(({ id: version, at, by, title, nodes, edges, name }) => ({
    id: version,
    at: Date.parse(at ?? "") || 0,
    by: [...new Set(by.map((one) => one.name ?? one.user_id ?? text.somebody))],
    title, nodes, edges,
    name: name ?? "",
  }));
}

export async function getVersion(id: string, version: string, signal?: AbortSignal): Promise<FlowDocument> {
  return await (await call(`${flowPath(id)}/versions/${encodeURIComponent(version)}`, { signal })).json() as FlowDocument;
}

export async function nameVersion(id: string, name: string): Promise<void> {
  await call(`${flowPath(id)}/versions`, { method: "POST", body: { name } });
}
