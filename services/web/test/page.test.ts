import { describe, expect, it } from "vitest";
import { addressOf, routeOf } from "../src/router.ts";
import { ago, dayName } from "../src/time.ts";
import { initials } from "../src/ui/Avatar.tsx";

describe("addresses", () => {
  it.each(["demo", "team-7/roadmap", "Größe & #1", "50% off", "a.js", "..", "?x=1"])("of %s come back as they went", (id) => {
    const { pathname, search } = new URL(addressOf({ page: "flow", id }), "http://helix.example");
    expect(routeOf(pathname, search)).toEqual({ page: "flow", id });
  });
  it.each(["/", "/flows/", "/flows", "/flows/%", "/flows/%20", "/index.html"])("%s is the start page", (pathname) => { expect(routeOf(pathname)).toEqual({ page: "start" }); });
  it("of earlier pages still open their flow", () => { expect(routeOf("/", "?flow=demo")).toEqual({ page: "flow", id: "demo" }); });
});

describe("times", () => {
  const now = new Date(2026, 5, 15, 12, 0, 0).getTime();
  it.each([[0, "just now"], [59_000, "just now"], [60_000, "1 minute ago"], [3 * 3_600_000, "3 hours ago"], [26 * 3_600_000, "yesterday"], [-5000, "just now"], [40 * 86_400_000, "May 6"]])("%d ms ago is %s", (ms, words) => { expect(ago(now - ms, now)).toBe(words); });
  it("know days by name", () => { expect([dayName(now, now), dayName(now - 86_400_000, now), dayName(now - 3 * 86_400_000, now)]).toEqual(["Today", "Yesterday", "Jun 12"]); });
});

describe("initials", () => {
  it.each([["Ann Baker", "AB"], ["ann", "A"], ["  Jean  Luc  Picard ", "JP"], ["😀 x", "😀X"], ["", "?"], ["李 明", "李明"]])("of %s are %s", (name, letters) => { expect(initials(name)).toBe(letters); });
});
