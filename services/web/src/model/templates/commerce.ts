// Flows around money: invoices, orders, fraud.
import { template } from "./template.ts";

export const commerce = [
  template(
    { id: "invoice-processing", title: "Invoice processing", field: "Finance", about: "Reads invoices, checks them against orders line by line, and pays what is right on time." },
    [
      ["mail", "sensor", 0, 0, "Invoice by email", "", { source: "Email", filter: "attachments.any(a => a.type == 'pdf')" }],
      ["upload", "input", 0, 2, "Upload", "", { source: "File", format: "PDF" }],
      ["read", "skill", 1, 1, "Read the invoice", "Supplier, lines, tax, dates", { skill: "read_document", arguments: '{"kind": "invoice"}', timeout: 60, retries: 2 }],
      ["order", "api", 2, 0, "Find the order", "", { method: "GET", url: "https://erp.example.com/orders?number={{invoice.order}}" }],
      ["lines", "loop", 2, 1, "Each line", "", { over: "invoice.lines", parallel: true, most: 500 }],
      ["match", "agent", 3, 1, "Match with the order", "Quantity, price and wording", { instructions: "Find the order's line that is meant. Report any difference in price or quantity.", temperature: 0 }],
      ["equal", "decision", 4, 1, "Does it match?", "2 % may differ", { condition: "abs(difference) / total < 0.02" }],
      ["limit", "decision", 5, 1, "Over 10,000?", "", { condition: "invoice.total > 10000" }],
      ["approve", "output", 6, 2, "Ask for approval", "", { destination: "Chat", recipient: "finance-leads" }],
      ["pay", "api", 7, 1, "Schedule the payment", "On the last day with discount", { method: "POST", url: "https://bank.example.com/payments" }],
      ["clarify", "output", 5, 3, "Write to the supplier", "What differs, line by line", { destination: "Email", recipient: "{{supplier.email}}" }],
      ["book", "api", 8, 1, "Book it", "", { method: "POST", url: "https://erp.example.com/journal" }],
    ],
    [["mail", "read"], ["upload", "read"], ["read", "order"], ["read", "lines"], ["order", "match"], ["lines", "match"], ["match", "equal"], ["equal", "limit", "Yes"], ["equal", "clarify", "No"], ["limit", "pay", "No"], ["limit", "approve", "Yes"], ["approve", "pay", "Approved"], ["pay", "book"]],
  ),
  template(
    { id: "order-fulfilment", title: "Order fulfilment", field: "E-commerce", about: "A web shop's order from the basket to the parcel, and what happens when something is missing." },
    [
      ["order", "sensor", 0, 1, "Order placed", "", { source: "Webhook", filter: "event == 'order.created'" }],
      ["validate", "transform", 1, 1, "Check the order", "Address, items, prices", { language: "JavaScript", expression: "validate(order, schema)" }],
      ["charge", "api", 2, 1, "Charge the card", "", { method: "POST", url: "https://payments.example.com/charges", timeout: 20 }],
      ["paid", "decision", 3, 1, "Paid?", "", { condition: "charge.status == 'succeeded'" }],
      ["retry", "output", 4, 2, "Ask for another card", "", { destination: "Email", recipient: "{{order.email}}" }],
      ["stock", "api", 4, 0, "Reserve the stock", "In the nearest warehouse", { method: "POST", url: "https://stock.example.com/reservations" }],
      ["enough", "decision", 5, 0, "All in stock?", "", { condition: "missing.length == 0" }],
      ["split", "agent", 6, 1, "Plan a partial delivery", "What now, what later", { instructions: "Send at most two parcels. Prefer what the customer needs first.", temperature: 0.2 }],
      ["pack", "output", 7, 0, "Send to packing", "", { destination: "Webhook", recipient: "warehouse" }],
      ["label", "api", 8, 0, "Buy the label", "Cheapest that is on time", { method: "POST", url: "https://parcels.example.com/labels" }],
      ["tell", "output", 9, 0, "Tell the customer", "With the tracking link", { destination: "Email", recipient: "{{order.email}}" }],
    ],
    [["order", "validate"], ["validate", "charge"], ["charge", "paid"], ["paid", "stock", "Yes"], ["paid", "retry", "No"], ["stock", "enough"], ["enough", "pack", "Yes"], ["enough", "split", "No"], ["split", "pack"], ["pack", "label"], ["label", "tell"]],
  ),
  template(
    { id: "fraud-detection", title: "Fraud detection", field: "Fraud", about: "Scores payments in real time, stops what is surely fraud, and learns from what people decide." },
    [
      ["payment", "sensor", 0, 1, "Payment", "Each one, before it is approved", { source: "Message queue", filter: "amount > 0" }],
      ["device", "api", 1, 0, "Device and place", "", { method: "GET", url: "https://signals.example.com/devices/{{payment.device}}", timeout: 1 }],
      ["profile", "memory", 1, 1, "Usual behaviour", "Amounts, shops, hours", { store: "Key and value", key: "cards/{{payment.card}}", keep: 180 }],
      ["rules", "transform", 1, 2, "Hard rules", "Blocked countries and cards", { language: "SQL", expression: "select * from rules where matches(payment)" }],
      ["score", "skill", 2, 1, "Score the risk", "In 50 ms", { skill: "risk_model_v7", timeout: 1, retries: 0 }],
      ["risk", "decision", 3, 1, "How risky?", "", { condition: "score", mode: "The first way that fits" }],
      ["allow", "output", 4, 0, "Approve", "", { destination: "Webhook" }],
      ["verify", "api", 4, 1, "Ask the customer", "A push to the phone", { method: "POST", url: "https://push.example.com/confirmations", timeout: 60 }],
      ["block", "output", 6, 2, "Block", "", { destination: "Webhook" }],
      ["confirmed", "decision", 5, 0.5, "It was me?", "", { condition: "answer == 'yes'" }],
      ["analyst", "agent", 7, 2, "Write the case", "For the analyst: what, why, since when", { instructions: "Collect what made this payment suspicious, with sources, in ten lines at most." }],
      ["learn", "memory", 8, 1, "Remember the outcome", "", { store: "Vectors", key: "cases", keep: 730 }],
    ],
    [["payment", "device"], ["payment", "profile"], ["payment", "rules"], ["device", "score"], ["profile", "score"], ["rules", "score"], ["score", "risk"], ["risk", "allow", "Under 30"], ["risk", "verify", "30 to 80"], ["risk", "block", "Over 80"], ["verify", "confirmed"], ["confirmed", "learn", "Yes"], ["confirmed", "block", "No"], ["block", "analyst"], ["analyst", "learn"]],
  ),
];
