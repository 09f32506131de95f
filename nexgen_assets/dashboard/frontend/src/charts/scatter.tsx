/** Points of a few groups, joined in order: an SVG, as there are few of them. The page has the table beside it. */
interface Group {
  label: string;
  points: { x: number; y: number }[];
}

interface Props {
  title: string;
  xLabel: string;
  yLabel: string;
  showX: (value: number) => string;
  showY: (value: number) => string;
  groups: Group[];
}

const COLORS = ["--chart-1", "--chart-2", "--chart-3", "--chart-4", "--good", "--bad", "--warn"];
const WIDTH = 560;
const HEIGHT = 320;
const LEFT = 58;
const RIGHT = 14;
const TOP = 10;
const BOTTOM = 44;
const TICKS = [0, 0.25, 0.5, 0.75, 1];

function scaleOf(values: number[], from: number, to: number) {
  const low = Math.min(...values);
  const high = Math.max(...values);
  const span = high - low || 1;
  return {
    at: (value: number) => from + ((value - low) / span) * (to - from),
    ticks: TICKS.map((share) => low + share * span),
  };
}

export function Scatter({ title, xLabel, yLabel, showX, showY, groups }: Props) {
  const points = groups.flatMap((group) => group.points);
  if (points.length === 0) return <p className="text-muted">No points to show.</p>;
  const x = scaleOf(
    points.map((one) => one.x),
    LEFT,
    WIDTH - RIGHT,
  );
  const y = scaleOf(
    points.map((one) => one.y),
    HEIGHT - BOTTOM,
    TOP,
  );
  const color = (index: number) => `var(${COLORS[index % COLORS.length]})`;
  return (
    <figure>
      <figcaption className="mb-1 flex flex-wrap gap-x-4 text-muted">
        {groups.map((group, index) => (
          <span key={group.label} className="inline-flex items-center gap-1.5">
            <i aria-hidden="true" className="size-2.5 rounded-full" style={{ background: color(index) }} />
            {group.label}
          </span>
        ))}
      </figcaption>
      <svg
        viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
        role="img"
        aria-label={`${title}. The table beside it has every number.`}
        className="w-full text-muted"
      >
        {y.ticks.map((tick) => (
          <g key={tick}>
            <line x1={LEFT} x2={WIDTH - RIGHT} y1={y.at(tick)} y2={y.at(tick)} stroke="var(--line)" />
            <text x={LEFT - 6} y={y.at(tick) + 4} textAnchor="end" fontSize="11" fill="currentColor">
              {showY(tick)}
            </text>
          </g>
        ))}
        {x.ticks.map((tick) => (
          <text
            key={tick}
            x={x.at(tick)}
            y={HEIGHT - BOTTOM + 16}
            textAnchor="middle"
            fontSize="11"
            fill="currentColor"
          >
            {showX(tick)}
          </text>
        ))}
        <text x={(LEFT + WIDTH) / 2} y={HEIGHT - 8} textAnchor="middle" fontSize="12" fill="currentColor">
          {xLabel}
        </text>
        <text
          x={12}
          y={HEIGHT / 2}
          textAnchor="middle"
          fontSize="12"
          fill="currentColor"
          transform={`rotate(-90 12 ${HEIGHT / 2})`}
        >
          {yLabel}
        </text>
        {groups.map((group, index) => (
          <g key={group.label} fill={color(index)} stroke={color(index)}>
            <polyline
              fill="none"
              strokeWidth="1.5"
              opacity="0.7"
              points={group.points.map((one) => `${x.at(one.x)},${y.at(one.y)}`).join(" ")}
            />
            {group.points.map((one) => (
              <circle key={`${one.x} ${one.y}`} cx={x.at(one.x)} cy={y.at(one.y)} r="3.5" stroke="none">
                <title>{`${group.label}: ${showX(one.x)}, ${showY(one.y)}`}</title>
              </circle>
            ))}
          </g>
        ))}
      </svg>
    </figure>
  );
}
