// Import and export of flows as JSON files.
import { readDocument, type FlowDocument } from "./document.ts";
import { text } from "../text.ts";

/** The most bytes of a file that is read: the edge's own bound on a document. */
const MOST_FILE = 8 << 20;

/** readFile makes a document of a JSON file. It throws an Error with a sentence for people. */
export async function readFlowFile(file: File): Promise<FlowDocument> {
  if (file.size > MOST_FILE) throw new Error(text.import.tooLarge);
  const name = file.name.replace(/(\.helix)?\.json$/i, "");
  return parseFlow(await file.text(), name);
}

/** parseFlow makes a document of JSON; name is its title where it has none. */
export function parseFlow(json: string, name: string): FlowDocument {
  let raw: unknown;
  try {
    raw = JSON.parse(json);
  } catch {
    throw new Error(text.import.notJson);
  }
  if (typeof raw !== "object" || raw === null || !("nodes" in raw)) throw new Error(text.import.noFlow);
  const { title, nodes, edges } = readDocument(raw);
  return { title: title || name, nodes, edges };
}

/** flowFile is the text of a flow's file. */
export function flowFile(document: FlowDocument): string {
  return `${JSON.stringify(document, null, 2)}\n`;
}

/** fileName makes a file's name of a flow's title. */
export function fileName(title: string, extension: string): string {
  const plain = title.trim().replace(/[^\p{L}\p{N}]+/gu, "-").replace(/^-+|-+$/g, "").toLowerCase().slice(0, 60);
  return `${plain || "flow"}.${extension}`;
}

/** download hands a file to the person. */
export function download(content: Blob, name: string): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(content);
  link.download = name;
  link.click();
  setTimeout(() => { URL.revokeObjectURL(link.href); }, 10_000);
}
