// The ten kinds of node, and the settings that each has. Icons and colours are the canvas's.

export const kinds = ["agent", "sensor", "skill", "decision", "input", "output", "memory", "loop", "transform", "api"] as const;

export type Kind = (typeof kinds)[number];

export type SettingValue = string | number | boolean;

interface FieldBase {
  /** The setting's name in a node's `data.settings`. */
  readonly name: string;
  readonly label: string;
  readonly hint?: string;
}

/** Field is one setting of a kind: how it is edited, and what it may be. */
export type Field = FieldBase & (
  | { readonly type: "text"; readonly placeholder?: string }
  | { readonly type: "code"; readonly placeholder?: string }
  | { readonly type: "number"; readonly min: number; readonly max: number; readonly step: number; readonly unit?: string; readonly initial: number }
  | { readonly type: "choice"; readonly options: readonly string[] }
  | { readonly type: "switch" }
);

export interface KindInfo {
  readonly name: string;
  /** What a node of this kind does, in one sentence. */
  readonly does: string;
  readonly fields: readonly Field[];
}

export const kindInfo: Readonly<Record<Kind, KindInfo>> = {
  agent: {
    name: "Agent",
    does: "Thinks and acts on a goal",
    fields: [
      { name: "model", label: "Model", type: "text", placeholder: "The model that thinks" },
      { name: "instructions", label: "Instructions", type: "code", placeholder: "What is it to achieve, and how?" },
      { name: "temperature", label: "Temperature", type: "number", min: 0, max: 2, step: 0.1, initial: 0.7 },
      { name: "max_steps", label: "Most steps", type: "number", min: 1, max: 100, step: 1, initial: 10 },
      { name: "confirm", label: "Ask a person before it acts", type: "switch" },
    ],
  },
  sensor: {
    name: "Sensor",
    does: "Starts when something happens",
    fields: [
      { name: "source", label: "Listens to", type: "choice", options: ["Webhook", "Schedule", "Email", "Message queue", "Device"] },
      { name: "schedule", label: "Schedule", type: "text", placeholder: "0 8 * * 1-5", hint: "A cron expression, for a schedule" },
      { name: "filter", label: "Only if", type: "code", placeholder: "event.priority > 2" },
    ],
  },
  skill: {
    name: "Skill",
    does: "Does one thing well",
    fields: [
      { name: "skill", label: "Skill", type: "text", placeholder: "extract_text" },
      { name: "arguments", label: "Arguments", type: "code", placeholder: '{"language": "en"}' },
      { name: "timeout", label: "Timeout", type: "number", min: 1, max: 3600, step: 1, unit: "s", initial: 30 },
      { name: "retries", label: "Retries", type: "number", min: 0, max: 10, step: 1, initial: 2 },
    ],
  },
  decision: {
    name: "Decision",
    does: "Chooses a way",
    fields: [
      { name: "condition", label: "Condition", type: "code", placeholder: "amount > 1000" },
      { name: "mode", label: "Takes", type: "choice", options: ["The first way that fits", "Every way that fits"] },
      { name: "otherwise", label: "Otherwise", type: "text", placeholder: "Where to go when nothing fits" },
    ],
  },
  input: {
    name: "Input",
    does: "Brings data in",
    fields: [
      { name: "source", label: "From", type: "choice", options: ["Form", "Chat", "File", "Spreadsheet", "API"] },
      { name: "format", label: "Format", type: "choice", options: ["Text", "JSON", "CSV", "PDF", "Image", "Audio"] },
      { name: "required", label: "Must be there", type: "switch" },
    ],
  },
  output: {
    name: "Output",
    does: "Sends the result on",
    fields: [
      { name: "destination", label: "To", type: "choice", options: ["Email", "Chat", "File", "Database", "Webhook", "Dashboard"] },
      { name: "recipient", label: "Recipient", type: "text", placeholder: "team@example.com" },
      { name: "template", label: "Message", type: "code", placeholder: "Hello {{name}}, …" },
    ],
  },
  memory: {
    name: "Memory",
    does: "Remembers and recalls",
    fields: [
      { name: "store", label: "Store", type: "choice", options: ["Conversation", "Key and value", "Documents", "Vectors"] },
      { name: "key", label: "Key", type: "text", placeholder: "customer/{{id}}" },
      { name: "keep", label: "Keep for", type: "number", min: 0, max: 3650, step: 1, unit: "days", initial: 30 },
    ],
  },
  loop: {
    name: "Loop",
    does: "Repeats for each, or until",
    fields: [
      { name: "over", label: "For each of", type: "text", placeholder: "invoice.lines" },
      { name: "until", label: "Until", type: "code", placeholder: "score >= 0.9" },
      { name: "most", label: "Most rounds", type: "number", min: 1, max: 10000, step: 1, initial: 100 },
      { name: "parallel", label: "All at once", type: "switch" },
    ],
  },
  transform: {
    name: "Transform",
    does: "Changes the shape of data",
    fields: [
      { name: "language", label: "Written in", type: "choice", options: ["Template", "JSONata", "JavaScript", "SQL"] },
      { name: "expression", label: "Expression", type: "code", placeholder: "$sum(lines.amount)" },
    ],
  },
  api: {
    name: "API",
    does: "Calls a service",
    fields: [
      { name: "method", label: "Method", type: "choice", options: ["GET", "POST", "PUT", "PATCH", "DELETE"] },
      { name: "url", label: "URL", type: "text", placeholder: "https://api.example.com/orders" },
      { name: "headers", label: "Headers", type: "code", placeholder: "accept: application/json" },
      { name: "body", label: "Body", type: "code", placeholder: '{"order": "{{id}}"}' },
      { name: "timeout", label: "Timeout", type: "number", min: 1, max: 600, step: 1, unit: "s", initial: 10 },
    ],
  },
};

export function isKind(value: unknown): value is Kind {
  return typeof value === "string" && (kinds as readonly string[]).includes(value);
}
