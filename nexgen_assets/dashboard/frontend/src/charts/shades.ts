/** What is drawn behind the lines of a chart: shaded days, and where history ends. */
import type uPlot from "uplot";

const DAY = 86_400;

interface Behind {
  shades: { color: string; stamps: number[] }[];
  divide: { stamp: number; color: string } | null;
}

export function drawBehind(plot: uPlot, { shades, divide }: Behind): void {
  const { ctx, bbox } = plot;
  ctx.save();
  ctx.beginPath();
  ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
  ctx.clip();
  for (const shade of shades) {
    ctx.fillStyle = shade.color;
    for (const stamp of shade.stamps) {
      const left = plot.valToPos(stamp - DAY / 2, "x", true);
      const right = plot.valToPos(stamp + DAY / 2, "x", true);
      ctx.fillRect(left, bbox.top, right - left, bbox.height);
    }
  }
  if (divide) {
    const x = plot.valToPos(divide.stamp - DAY / 2, "x", true);
    ctx.strokeStyle = divide.color;
    ctx.setLineDash([4, 4]);
    ctx.lineWidth = devicePixelRatio;
    ctx.beginPath();
    ctx.moveTo(x, bbox.top);
    ctx.lineTo(x, bbox.top + bbox.height);
    ctx.stroke();
  }
  ctx.restore();
}
