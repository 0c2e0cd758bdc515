// All templates, in the order in which they are shown.
import { commerce } from "./commerce.ts";
import { operations } from "./operations.ts";
import { people } from "./people.ts";
import { knowledge } from "./knowledge.ts";
import type { Template } from "./template.ts";

export type { Template } from "./template.ts";

export const templates: readonly Template[] = [...people, ...commerce, ...operations, ...knowledge];

export const fields: readonly string[] = [...new Set(templates.map(({ field }) => field))];
