import { Component, lazy, Suspense, type ReactNode } from "react";
import { useRoute } from "./router.ts";
import { StartPage } from "./start/StartPage.tsx";
import { text } from "./text.ts";
import { Toasts } from "./ui/toasts.tsx";

// The editor is most of the script, and comes when a flow is opened.
const loadEditor = () => import("./editor/EditorPage.tsx");
const EditorPage = lazy(async () => ({ default: (await loadEditor()).EditorPage }));

export function App() {
  const route = useRoute();
  return (
    <>
      <Failures key={route.page === "flow" ? route.id : ""}>
        {route.page === "start" ? <StartPage /> : (
          <Suspense fallback={<div className="page-loading" role="status">{text.loading}</div>}>
            <EditorPage key={route.id} flowId={route.id} />
          </Suspense>
        )}
      </Failures>
      <Toasts />
    </>
  );
}

/** Failures shows a way on where the page itself fails: a script that is gone after an update, or a mistake of ours. */
class Failures extends Component<{ readonly children: ReactNode }, { readonly failed: boolean }> {
  override state = { failed: false };
  static getDerivedStateFromError() { return { failed: true }; }
  override render() {
    if (!this.state.failed) return this.props.children;
    return (
      <main className="empty">
        <h1>{text.failure.title}</h1>
        <p>{text.failure.about}</p>
        <button type="button" className="button primary" onClick={() => { location.reload(); }}>{text.failure.reload}</button>
      </main>
    );
  }
}
