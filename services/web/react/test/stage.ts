// What most tests need: people in one flow, on the simulated server of the client library's tests. Timers are faked: time
// passes, and frames move, when a test says so.
import type { Edge, Node } from "@xyflow/react";
import { vi } from "vitest";
import { Sim } from "../../client/test/sim.ts";
import { createFlowSession } from "../src/flow-session.ts";
import type { FlowEvent, FlowSession, FlowSessionOptions } from "../src/index.ts";

export type Session = FlowSession;

/** Stage is a flow and the people in it. */
export class Stage {
  readonly sim = new Sim();
  readonly sessions: Session[] = [];
  readonly events = new Map<Session, FlowEvent[]>();

  /** person gives somebody who is in the flow. */
  async person(options: Partial<FlowSessionOptions> = {}): Promise<Session> {
    const session = createFlowSession({ url: "ws://sim/socket", flowId: "f", transport: this.sim.transport(), store: false, ...options });
    const events: FlowEvent[] = [];
    this.sessions.push(session);
    this.events.set(session, events);
    session.onEvent((event) => { events.push(event); });
    session.start();
    await this.settle();
    return session;
  }

  /** told gives the events of one kind that somebody heard. */
  told<T extends FlowEvent["type"]>(session: Session, type: T): Extract<FlowEvent, { type: T }>[] {
    return (this.events.get(session) ?? []).filter((event): event is Extract<FlowEvent, { type: T }> => event.type === type);
  }

  /** settle lets everything happen that waits for no clock, and shows it. */
  async settle(): Promise<void> {
    for (let i = 0; i < 2; i++) {
      await vi.advanceTimersByTimeAsync(0);
      await this.sim.settle();
    }
    await vi.advanceTimersByTimeAsync(60); // a frame, where there is no screen
    await this.sim.settle();
    await vi.advanceTimersByTimeAsync(60);
  }

  async stop(): Promise<void> {
    await Promise.race([Promise.all(this.sessions.map((session) => session.stop())), vi.advanceTimersByTimeAsync(60_000)]);
  }
}

/** node gives a node as React Flow has it. */
export function node(id: string, fields: Partial<Node> = {}): Node { return { id, position: { x: 0, y: 0 }, data: {}, ...fields }; }

export function edge(source: string, target: string, fields: Partial<Edge> = {}): Edge { return { id: `${source}-${target}`, source, target, ...fields }; }
