// The edge's hint when it moves its clients: within how many milliseconds they should come back.
import type { SocketConnectOption } from "phoenix";

type Transport = NonNullable<SocketConnectOption["transport"]>;

interface Closing {
  addEventListener?(type: "close", listener: (event: { code: number; reason: string }) => void): void;
}

/** hintOf reads the hint of a close frame, in milliseconds; undefined where it has none. */
export function hintOf(code: number, reason: string): number | undefined {
  const within = code === 1012 ? /\bwithin (\d{1,6}) ms$/.exec(reason)?.[1] : undefined;
  return within === undefined ? undefined : Number(within);
}

/** withHint gives a transport that tells of each hint before its close event reaches phoenix: phoenix asks how
 * long to wait before it tells anybody else that the socket is closed. */
export function withHint(transport: Transport, tell: (withinMs: number) => void): Transport {
  return class extends (transport as new (...args: unknown[]) => Closing) {
    constructor(...args: unknown[]) {
      super(...args);
      this.addEventListener?.("close", ({ code, reason }) => {
        const within = hintOf(code, reason);
        if (within !== undefined) tell(within);
      });
    }
  };
}
