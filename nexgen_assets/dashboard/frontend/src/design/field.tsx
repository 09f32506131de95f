import { type InputHTMLAttributes, type ReactNode, type SelectHTMLAttributes, useId } from "react";

const BOX =
  "h-8 w-full rounded-md border border-strong-line bg-surface px-2.5 text-ink placeholder:text-muted disabled:opacity-60";

interface Labelled {
  label: string;
  /** A label that only screen readers are told, where the place says it to everybody else. */
  isLabelHidden?: boolean;
  hint?: ReactNode;
  error?: string | undefined;
}

function Frame({
  id,
  label,
  isLabelHidden,
  hint,
  error,
  children,
}: Labelled & { id: string; children: ReactNode }) {
  return (
    <div className="min-w-0">
      <label htmlFor={id} className={isLabelHidden ? "sr-only" : "mb-1 block font-medium"}>
        {label}
      </label>
      {children}
      {hint && (
        <p id={`${id}-hint`} className="mt-1 text-[0.93rem] text-muted">
          {hint}
        </p>
      )}
      {error && (
        <p id={`${id}-error`} role="alert" className="mt-1 text-bad">
          {error}
        </p>
      )}
    </div>
  );
}

function described(id: string, hint: ReactNode, error: string | undefined): string | undefined {
  const ids = [hint && `${id}-hint`, error && `${id}-error`].filter(Boolean);
  return ids.length ? ids.join(" ") : undefined;
}

type InputProps = Labelled & InputHTMLAttributes<HTMLInputElement> & { ref?: React.Ref<HTMLInputElement> };

export function Input({ label, isLabelHidden, hint, error, className = "", ...rest }: InputProps) {
  const id = useId();
  return (
    <Frame {...{ id, label, isLabelHidden, hint, error }}>
      <input
        id={id}
        {...rest}
        aria-invalid={error ? true : undefined}
        aria-describedby={described(id, hint, error)}
        className={`${BOX} ${className}`}
      />
    </Frame>
  );
}

type SelectProps = Labelled &
  SelectHTMLAttributes<HTMLSelectElement> & { options: readonly (readonly [value: string, text: string])[] };

export function Select({ label, isLabelHidden, hint, error, options, className = "", ...rest }: SelectProps) {
  const id = useId();
  return (
    <Frame {...{ id, label, isLabelHidden, hint, error }}>
      <select
        id={id}
        {...rest}
        aria-describedby={described(id, hint, error)}
        className={`${BOX} pr-7 ${className}`}
      >
        {options.map(([value, text]) => (
          <option key={value} value={value}>
            {text}
          </option>
        ))}
      </select>
    </Frame>
  );
}

interface CheckProps extends Omit<InputHTMLAttributes<HTMLInputElement>, "type"> {
  label: ReactNode;
}

export function Check({ label, className = "", ...rest }: CheckProps) {
  return (
    <label className={`inline-flex items-center gap-2 ${className}`}>
      <input type="checkbox" {...rest} className="size-4 accent-accent" />
      {label}
    </label>
  );
}
