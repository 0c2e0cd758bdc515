// A flow as a picture: the shapes for small pictures on the start page, and whole SVG files to export.
import { GROUP, kindOf, placeOf, sizeOf, type FlowDocument } from "./document.ts";
import { kindInfo, type Kind } from "./kinds.ts";
import { text } from "../text.ts";

export interface Box { readonly x: number; readonly y: number; readonly width: number; readonly height: number }

export interface NodeShape extends Box {
  readonly id: string;
  readonly kind: Kind | "group" | undefined;
  readonly label: string;
}

export interface EdgeShape {
  readonly id: string;
  readonly path: string;
  readonly label: string;
  /** Where the label stands. */
  readonly x: number;
  readonly y: number;
}

export interface Picture {
  readonly nodes: readonly NodeShape[];
  readonly edges: readonly EdgeShape[];
  readonly bounds: Box;
}

/** pictureOf places everything in a document. Groups come first, so that they lie below what is in them. */
export function pictureOf(document: FlowDocument): Picture {
  const nodes = document.nodes ?? {};
  const shapes = new Map<string, NodeShape>();
  for (const [id, node] of Object.entries(nodes)) {
    const kind = node.type === GROUP ? GROUP : kindOf(node);
    shapes.set(id, { id, kind, label: node.data?.label ?? "", ...placeOf(id, nodes), ...sizeOf(node) });
  }
  const edges: EdgeShape[] = [];
  for (const [id, edge] of Object.entries(document.edges ?? {})) {
    const [from, to] = [shapes.get(edge.source), shapes.get(edge.target)];
    if (from && to) edges.push({ id, label: edge.label ?? "", ...curve(from, to) });
  }
  const all = [...shapes.values()].sort((a, b) => Number(b.kind === GROUP) - Number(a.kind === GROUP));
  return { nodes: all, edges, bounds: boundsOf(all) };
}

export function boundsOf(boxes: readonly Box[]): Box {
  if (boxes.length === 0) return { x: 0, y: 0, width: 0, height: 0 };
  let [left, top, right, bottom] = [Infinity, Infinity, -Infinity, -Infinity];
  for (const box of boxes) {
    left = Math.min(left, box.x);
    top = Math.min(top, box.y);
    right = Math.max(right, box.x + box.width);
    bottom = Math.max(bottom, box.y + box.height);
  }
  return { x: left, y: top, width: right - left, height: bottom - top };
}

/** curve is the line from the right side of one node to the left side of another, as the canvas draws it. */
export function curve(from: Box, to: Box): { path: string; x: number; y: number } {
  const [x1, y1] = [from.x + from.width, from.y + from.height / 2];
  const [x2, y2] = [to.x, to.y + to.height / 2];
  const bend = x2 >= x1 ? (x2 - x1) / 2 : 6.25 * Math.sqrt(x1 - x2); // React Flow's own, so that both look alike
  return { path: `M${r(x1)} ${r(y1)}C${r(x1 + bend)} ${r(y1)} ${r(x2 - bend)} ${r(y2)} ${r(x2)} ${r(y2)}`, x: (x1 + x2) / 2, y: (y1 + y2) / 2 };
}

const r = (value: number) => String(Math.round(value * 10) / 10);

/** Colours of an exported picture: a file has no style sheet to look them up in. */
const kindColors: Readonly<Record<Kind | "other", string>> = {
  agent: "#7c3aed", sensor: "#0d9488", skill: "#b45309", decision: "#e11d48", input: "#0284c7",
  output: "#15803d", memory: "#c026d3", loop: "#0e7490", transform: "#4f46e5", api: "#475569", other: "#64748b",
};
const themes = {
  light: { paper: "#ffffff", card: "#ffffff", line: "#d8dce3", edge: "#9aa3b2", ink: "#14171f", muted: "#5c6573", group: "#f4f5f8" },
  dark: { paper: "#0e1015", card: "#181b22", line: "#333945", edge: "#667085", ink: "#e8eaef", muted: "#9aa3b2", group: "#14171d" },
} as const;

export type PictureTheme = keyof typeof themes;

/** svgOf draws a flow as an SVG file. Its text is text; nothing in it comes from elsewhere. */
export function svgOf(document: FlowDocument, theme: PictureTheme = "light"): string {
  const { nodes, edges, bounds } = pictureOf(document);
  const color = themes[theme];
  const margin = 40;
  const [x, y] = [bounds.x - margin, bounds.y - margin];
  const [width, height] = [Math.max(bounds.width, 1) + 2 * margin, Math.max(bounds.height, 1) + 2 * margin];
  const out = [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="${r(x)} ${r(y)} ${r(width)} ${r(height)}" width="${r(width)}" height="${r(height)}" font-family="Inter, system-ui, sans-serif">`,
    `<title>${escape(document.title || text.untitled)}</title>`,
    `<defs><marker id="arrow" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto"><path d="M1 1l6 3-6 3" fill="none" stroke="${color.edge}" stroke-width="1.5"/></marker></defs>`,
    `<rect x="${r(x)}" y="${r(y)}" width="${r(width)}" height="${r(height)}" fill="${color.paper}"/>`,
  ];
  for (const node of nodes.filter(({ kind }) => kind === GROUP)) {
    out.push(`<rect x="${r(node.x)}" y="${r(node.y)}" width="${r(node.width)}" height="${r(node.height)}" rx="14" fill="${color.group}" stroke="${color.line}" stroke-dasharray="5 4"/>`);
    if (node.label) out.push(`<text x="${r(node.x + 14)}" y="${r(node.y + 24)}" font-size="12" font-weight="600" fill="${color.muted}">${escape(cut(node.label, node.width / 7))}</text>`);
  }
  for (const edge of edges) out.push(`<path d="${edge.path}" fill="none" stroke="${color.edge}" stroke-width="1.5" marker-end="url(#arrow)"/>`);
  for (const node of nodes) {
    if (node.kind === GROUP) continue;
    const tint = kindColors[node.kind ?? "other"];
    const name = node.kind ? kindInfo[node.kind].name : text.otherKind;
    const middle = node.y + node.height / 2;
    out.push(
      `<rect x="${r(node.x)}" y="${r(node.y)}" width="${r(node.width)}" height="${r(node.height)}" rx="12" fill="${color.card}" stroke="${color.line}"/>`,
      `<rect x="${r(node.x + 12)}" y="${r(middle - 18)}" width="36" height="36" rx="9" fill="${tint}"/>`,
      `<text x="${r(node.x + 30)}" y="${r(middle + 5)}" font-size="14" font-weight="700" text-anchor="middle" fill="#ffffff">${escape(name.slice(0, 1))}</text>`,
      `<text x="${r(node.x + 60)}" y="${r(middle - 3)}" font-size="13.5" font-weight="600" fill="${color.ink}">${escape(cut(node.label || name, (node.width - 72) / 7.2))}</text>`,
      `<text x="${r(node.x + 60)}" y="${r(middle + 15)}" font-size="11.5" fill="${color.muted}">${escape(name)}</text>`,
    );
  }
  for (const edge of edges) {
    if (!edge.label) continue;
    const label = cut(edge.label, 28);
    const wide = label.length * 6.4 + 14;
    out.push(
      `<rect x="${r(edge.x - wide / 2)}" y="${r(edge.y - 10)}" width="${r(wide)}" height="20" rx="10" fill="${color.card}" stroke="${color.line}"/>`,
      `<text x="${r(edge.x)}" y="${r(edge.y + 4)}" font-size="11" text-anchor="middle" fill="${color.muted}">${escape(label)}</text>`,
    );
  }
  out.push("</svg>");
  return out.join("\n");
}

function cut(value: string, most: number): string {
  const letters = [...value];
  return letters.length <= most ? value : `${letters.slice(0, Math.max(1, Math.floor(most) - 1)).join("")}…`;
}

/** escape makes any text safe in XML; characters that XML cannot have are left out. */
function escape(value: string): string {
  return value
    // eslint-disable-next-line no-control-regex -- these are the ones
    .replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g, "")
    .replace(/[&<>"']/g, (sign) => `&#${String(sign.charCodeAt(0))};`);
}

/** The most pixels of a picture's longer side: browsers refuse much larger canvases. */
const MOST_PIXELS = 8192;

/** pngOf draws a flow as a PNG, at twice its size where that is not too large. */
export async function pngOf(flow: FlowDocument, theme: PictureTheme = "light"): Promise<Blob> {
  const image = new Image();
  image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(svgOf(flow, theme))}`;
  await image.decode();
  const scale = Math.min(2, MOST_PIXELS / Math.max(image.width, image.height));
  const canvas = document.createElement("canvas");
  canvas.width = Math.round(image.width * scale);
  canvas.height = Math.round(image.height * scale);
  canvas.getContext("2d")?.drawImage(image, 0, 0, canvas.width, canvas.height);
  return new Promise((resolve, reject) => {
    canvas.toBlob((blob) => { if (blob) resolve(blob); else reject(new Error(text.export.failed)); }, "image/png");
  });
}
