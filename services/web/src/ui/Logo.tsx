import { followLink } from "../router.ts";
import { text } from "../text.ts";

/** Logo leads to the start page. */
export function Logo({ small = false }: { readonly small?: boolean }) {
  return (
    <a className="logo" href="/" onClick={followLink} aria-label={text.product}>
      <svg width="26" height="26" viewBox="0 0 32 32" aria-hidden="true">
        <rect width="32" height="32" rx="8" fill="#4f46e5" />
        <path d="M10 7c0 9 12 9 12 18M22 7c0 9-12 9-12 18" fill="none" stroke="#fff" strokeWidth="2.6" strokeLinecap="round" />
        <path d="M11.6 11h8.8M11.6 21h8.8" stroke="#c7d2fe" strokeWidth="2.2" strokeLinecap="round" />
      </svg>
      {!small && <span>{text.product}</span>}
    </a>
  );
}
