import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { closeCodes, closeReason, HelixError, reasons } from "../src/index.ts";
import { refusal } from "../src/reasons.ts";

const source = (path: string) => readFileSync(new URL(`../../../../${path}`, import.meta.url), "utf8");

test("the table has every refusal of the edge, in its words", () => {
  const edge = [...source("shared/flows/errors.go").matchAll(/Reason: "(.*?)", Sentence: "(.*?)"/g)];
  expect(edge.length).toBeGreaterThan(5);
  for (const [, reason, sentence] of edge) {
    expect(reasons).toHaveProperty([reason!]);
    expect(reasons[reason as keyof typeof reasons].sentence).toBe(sentence);
  }
});

test("only what protocol.md calls transient is sent again", () => {
  const again = Object.entries(reasons).filter(([, { transient }]) => transient).map(([reason]) => reason);
  expect(again.sort()).toEqual(["max_clients_reached", "rate_limited", "timeout", "too many channels joined", "unavailable", "unmatched topic"]);
});

test("the table has every close code of the edge", () => {
  const edge = [...source("services/edge/internal/socket/close.go").matchAll(/Reason\{(\d+), "(.*?)"\}/g)];
  expect(edge.length).toBeGreaterThan(5);
  for (const [, code] of edge) expect(closeCodes).toHaveProperty(code!);
  for (const code of [1008, 1009, 1011, 1012]) {
    expect(edge.map((row) => row.slice(1))).toContainEqual([String(code), closeReason(code).sentence]);
  }
});

test("after 1008 alone the client stays away without a fresh token", () => {
  const away = Object.entries(closeCodes).filter(([, { comesBack }]) => !comesBack).map(([code]) => code);
  expect(away).toEqual(["1008"]);
  expect(closeReason(4321).comesBack).toBe(true);
});

test("an error says the server's sentence, and what the table knows of its reason", () => {
  expect(refusal({ reason: "rate_limited", message: "slower" })).toMatchObject({ reason: "rate_limited", sentence: "slower", message: "slower", transient: true });
  expect(refusal({ reason: "unavailable" })).toMatchObject({ sentence: reasons.unavailable.sentence, transient: true });
  expect(refusal({ reason: "toString" })).toMatchObject({ reason: "toString", sentence: "the server refused: toString", transient: false });
  expect(refusal(undefined)).toMatchObject({ reason: "unknown", transient: false });
  expect(new HelixError("left")).toBeInstanceOf(Error);
});
