import { useDeferredValue, useEffect, useMemo, useRef, useState } from "react";
import { FileUp, Plus, Search, WifiOff, X } from "lucide-react";
import type { FlowSummary } from "../api.ts";
import { setToken } from "../me.ts";
import { text } from "../text.ts";
import { Logo } from "../ui/Logo.tsx";
import { ProfileButton, ThemeMenu } from "../ui/Profile.tsx";
import { FlowCard } from "./FlowCard.tsx";
import { Templates } from "./Templates.tsx";
import { useFlowActions } from "./useFlowActions.tsx";
import { useFlows } from "./useFlows.ts";
import "./start.css";

type Sort = keyof typeof text.start.sorts;

/** How many cards are drawn at first while one searches in many. */
const MOST_FOUND = 200;

/** StartPage lists all flows, makes new ones, and opens them. */
export function StartPage() {
  const [query, setQuery] = useState("");
  const [sort, setSort] = useState<Sort>("changed");
  const searched = useDeferredValue(query.trim().toLowerCase());
  const list = useFlows(searched !== "" || sort !== "changed");
  const { actions, dialogs } = useFlowActions(list);
  const search = useRef<HTMLInputElement>(null);
  const files = useRef<HTMLInputElement>(null);
  const found = useMemo(() => arrange(list.flows, searched, sort), [list.flows, searched, sort]);

  useEffect(() => { document.title = text.product; }, []);
  useEffect(() => {
    const key = (event: KeyboardEvent) => {
      const typing = event.target instanceof HTMLElement && event.target.closest("input, textarea, select, dialog");
      if ((event.key === "k" && (event.metaKey || event.ctrlKey)) || (event.key === "/" && !typing)) {
        event.preventDefault();
        search.current?.focus();
      }
    };
    addEventListener("keydown", key);
    return () => { removeEventListener("keydown", key); };
  }, []);

  return (
    <div
      className="start"
      onDragOver={(event) => { if (event.dataTransfer.types.includes("Files")) event.preventDefault(); }}
      onDrop={(event) => { event.preventDefault(); actions.importFiles(event.dataTransfer.files); }}
    >
      <a className="skip" href="#flows">{text.skip}</a>
      <header className="start-head">
        <Logo />
        <div className="search">
          <Search size={16} aria-hidden="true" />
          <input ref={search} className="input" type="search" aria-label={text.start.search} placeholder={text.start.search} value={query} onChange={(event) => { setQuery(event.target.value); }} />
          {query ? <button type="button" className="button quiet icon small" aria-label={text.start.clearSearch} onClick={() => { setQuery(""); search.current?.focus(); }}><X size={15} /></button> : <kbd aria-hidden="true">/</kbd>}
        </div>
        <div className="start-actions">
          <button type="button" className="button import" aria-label={text.start.import} onClick={() => { files.current?.click(); }}><FileUp size={16} /><span>{text.start.import}</span></button>
          <input ref={files} type="file" accept=".json,application/json" multiple hidden onChange={(event) => { actions.importFiles([...event.target.files ?? []]); event.target.value = ""; }} />
          <button type="button" className="button primary" onClick={() => { actions.create({ title: "", nodes: {}, edges: {} }); }}><Plus size={16} /><span>{text.start.newFlow}</span></button>
          <ThemeMenu />
          <ProfileButton />
        </div>
      </header>
      <main className="start-main">
        {!searched && <Templates onCreate={actions.create} />}
        <section id="flows" className="flows" aria-labelledby="flows-title" aria-busy={!list.loaded}>
          <div className="section-head">
            <h1 id="flows-title">{text.start.title}</h1>
            <p className="muted" role="status">{list.loaded && list.flows.length > 0 && (searched ? text.start.found(found.length) : list.more ? "" : text.start.flows(found.length))}</p>
            <div className="sort"><span aria-hidden="true">{text.start.sortBy}</span>
              <select className="select" aria-label={text.start.sortBy} value={sort} onChange={(event) => { setSort(event.target.value as Sort); }}>
                {Object.entries(text.start.sorts).map(([value, name]) => <option key={value} value={value}>{name}</option>)}
              </select>
            </div>
          </div>
          {list.error && (list.error.status === 401
            ? <SignIn expired={list.error.code === "token_expired"} onToken={list.refresh} />
            : <p className="notice" role="status"><WifiOff size={17} aria-hidden="true" />{list.error.status === 0 ? text.start.offline : list.error.message}<button type="button" className="button small" onClick={list.refresh}>{text.start.retry}</button></p>)}
          {!list.loaded && !list.error && <ul className="cards" aria-label={text.loading}>{Array.from({ length: 6 }, (_, i) => <li key={i} className="card"><div className="card-picture skeleton" /><div className="card-body"><div className="skeleton line" /><div className="skeleton line short" /></div></li>)}</ul>}
          {list.loaded && (found.length > 0
            ? <ul className="cards">{found.slice(0, searched ? MOST_FOUND : undefined).map((flow) => <FlowCard key={flow.id} flow={flow} actions={actions} />)}</ul>
            : searched
              ? <div className="empty"><h2>{text.start.noneTitle}</h2><p>{text.start.none(query.trim())}</p></div>
              : <div className="empty"><EmptyPicture /><h2>{text.start.emptyTitle}</h2><p>{text.start.empty}</p></div>)}
          {list.loaded && list.more && !searched && <button type="button" className="button show-more" onClick={list.showMore}>{text.start.more}</button>}
        </section>
      </main>
      {dialogs}
    </div>
  );
}

/** arrange finds the flows whose title or address has all words, and sorts them. */
function arrange(flows: readonly FlowSummary[], query: string, sort: Sort): readonly FlowSummary[] {
  const words = query.split(/\s+/).filter(Boolean);
  const found = words.length === 0 ? flows : flows.filter((flow) => {
    const where = `${flow.title} ${flow.id}`.toLowerCase();
    return words.every((word) => where.includes(word));
  });
  switch (sort) {
    case "changed": return [...found].sort((a, b) => b.changed - a.changed);
    case "title": return [...found].sort((a, b) => (a.title || text.untitled).localeCompare(b.title || text.untitled));
    case "nodes": return [...found].sort((a, b) => b.nodes - a.nodes);
  }
}

function SignIn({ expired, onToken }: { readonly expired: boolean; readonly onToken: () => void }) {
  const [value, setValue] = useState("");
  return (
    <form className="sign-in" onSubmit={(event) => { event.preventDefault(); setToken(value); onToken(); }}>
      <h2>{text.start.signInTitle}</h2>
      <p>{expired ? text.start.tokenExpired : text.start.signIn}</p>
      <label className="field"><span className="field-label">{text.start.tokenLabel}</span>
        <input className="input" type="password" autoComplete="off" required value={value} onChange={(event) => { setValue(event.target.value); }} />
      </label>
      <button type="submit" className="button primary">{text.start.useToken}</button>
    </form>
  );
}

function EmptyPicture() {
  return (
    <svg width="148" height="84" viewBox="0 0 148 84" aria-hidden="true" className="empty-picture">
      <path d="M46 24h18c12 0 10 36 22 36h16" fill="none" stroke="var(--edge)" strokeWidth="2" strokeDasharray="4 4" />
      <rect x="2" y="8" width="46" height="32" rx="9" fill="var(--surface)" stroke="var(--line-strong)" strokeWidth="2" />
      <rect x="10" y="16" width="16" height="16" rx="5" fill="var(--kind-agent)" />
      <rect x="100" y="44" width="46" height="32" rx="9" fill="var(--surface)" stroke="var(--line-strong)" strokeWidth="2" />
      <rect x="108" y="52" width="16" height="16" rx="5" fill="var(--kind-output)" />
    </svg>
  );
}
