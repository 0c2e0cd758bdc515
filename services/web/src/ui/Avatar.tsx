interface AvatarProps {
  readonly name: string;
  readonly color: string;
  readonly size?: number;
}

/** Avatar shows a person by their initials; their name stands beside it, or in its button's label. */
export function Avatar({ name, color, size = 28 }: AvatarProps) {
  return (
    <span className="avatar" aria-hidden="true" data-initials={initials(name)} style={{ "--person": color, width: size, height: size, fontSize: size * 0.39 } as React.CSSProperties} />
  );
}

const letters = new Intl.Segmenter();

/** letter gives the first letter of a word, as people count them. */
function letter(word: string): string {
  for (const { segment } of letters.segment(word)) return segment;
  return "";
}

/** initials gives one or two letters of a name, in any script. */
export function initials(name: string): string {
  const words = name.trim().split(/\s+/).filter(Boolean);
  const first = letter(words[0] ?? "?");
  const last = words.length > 1 ? letter(words.at(-1) ?? "") : "";
  return (first + last).toUpperCase();
}
