// Pictures of what people see, in light and in dark, to be looked at: they are in e2e/out/ after a run.
import { after, before, test } from "node:test";
import { startCluster } from "../conformance/harness.mjs";
import { launch, visit } from "./builder.mjs";

let cluster, browser;
before(async () => {
  [cluster, browser] = await Promise.all([startCluster({ HELIX_SOCKET_ALLOWED_ORIGINS: "" }), launch()]);
});
after(async () => {
  await browser?.close();
  await cluster?.stop();
});

const others = [
  { name: "Bob Cole", color: "#0369a1", select: "Search the help centre", point: [790, 360] },
  { name: "Chen Lu", color: "#6d28d9", select: "Urgent?", point: [560, 560] },
];

test("the start page, the editor with three people, the history: in light and in dark", async (t) => {
  const a = await visit(t, browser, cluster.edges[0], { deviceScaleFactor: 1 });
  for (const title of ["Data pipeline", "Content moderation", "Research agent", "Incident response", "Invoice processing", "Fraud detection"]) {
    await a.fromTemplate(title);
    await a.page.getByRole("link", { name: "All flows" }).click();
  }
  const path = await a.fromTemplate("Support triage");
  await a.select("Draft an answer");
  await a.panel.getByLabel("Write a comment").fill("Should it say that a person reads along?");
  await a.panel.getByRole("button", { name: "Send" }).click();
  await a.page.keyboard.press("Escape");
  await a.page.getByRole("region", { name: "Canvas of the flow" }).click({ position: { x: 640, y: 700 } });
  await a.page.keyboard.press("Escape");
  await a.page.keyboard.press("f");

  const group = await Promise.all(others.map((one, i) => visit(t, browser, cluster.edges[i + 1], { ...one, path })));
  for (const [i, one] of group.entries()) {
    const { select, point } = others[i];
    await one.opened();
    await one.select(select);
    await one.page.mouse.move(...point, { steps: 4 });
  }
  await a.page.locator(".helix-selection").nth(1).waitFor();
  await a.page.locator(".helix-cursor").nth(1).waitFor();

  for (const colorScheme of ["light", "dark"]) {
    await a.page.emulateMedia({ colorScheme });
    await a.screenshot(`editor-${colorScheme}`);
  }
  await a.page.getByRole("button", { name: "History" }).click();
  await a.panel.getByLabel("Name of the present version").fill("Agreed with support");
  await a.panel.getByRole("button", { name: "Name this version" }).click();
  await a.panel.getByText("Agreed with support").click();
  await a.page.getByRole("region", { name: /^Version of/ }).waitFor();
  for (const colorScheme of ["light", "dark"]) {
    await a.page.emulateMedia({ colorScheme });
    await a.screenshot(`history-${colorScheme}`);
  }

  for (const colorScheme of ["light", "dark"]) {
    const b = await visit(t, browser, cluster.edges[0], { colorScheme });
    await b.page.locator(".card svg.picture").nth(6).waitFor();
    await b.card("Support triage").getByText("3 here now").waitFor();
    await b.screenshot(`start-${colorScheme}`);
    await b.page.getByRole("button", { name: /^All \d+ templates$/ }).click();
    await b.page.getByRole("dialog").waitFor();
    await b.screenshot(`templates-${colorScheme}`);
  }
});
