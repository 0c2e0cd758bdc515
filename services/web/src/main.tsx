import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { App } from "./App.tsx";
import { takeToken } from "./me.ts";
import { showTheme } from "./ui/theme.ts";
import "./ui/tokens.css";
import "./ui/ui.css";

showTheme();
takeToken();
const root = document.getElementById("root");
if (root) createRoot(root).render(<StrictMode><App /></StrictMode>);
