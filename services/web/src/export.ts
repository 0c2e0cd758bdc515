// A flow as a file: JSON with all that is in it, or a picture.
import { readDocument, type FlowDocument } from "./model/document.ts";
import { download, fileName, flowFile } from "./model/import.ts";
import { pngOf, svgOf } from "./model/picture.ts";
import { isDark } from "./ui/theme.ts";

export type ExportFormat = "json" | "png" | "svg";

export async function exportFlow(document: FlowDocument, format: ExportFormat): Promise<void> {
  const clean = readDocument(document);
  const theme = isDark() ? "dark" : "light";
  const name = fileName(clean.title, format === "json" ? "helix.json" : format);
  switch (format) {
    case "json": download(new Blob([flowFile(document)], { type: "application/json" }), name); break;
    case "svg": download(new Blob([svgOf(clean, theme)], { type: "image/svg+xml" }), name); break;
    case "png": download(await pngOf(clean, theme), name); break;
  }
}
