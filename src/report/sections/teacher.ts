import { number, percent, percentRange } from '../format.ts';
import { html, type Html } from '../html.ts';
import type { TeacherSummary } from '../run-summary.ts';

/** Who taught the network, what was mapped, and how far it says what its teacher says. */
export function teacher({ lines, agreement }: TeacherSummary): Html {
  return html`<h2 id="teacher">Teacher</h2>
    ${lines.map((line) => html`<p>${line}</p>`)}
    ${
      agreement &&
      html`<p>
        On ${agreement.comparedOn}, teacher and student hold one class for the most probable in
        ${percent(agreement.agreement)} (95 % interval ${percentRange(agreement.agreementInterval)}); the mean of
        KL(teacher || student) is ${number(agreement.kl)} nats.
      </p>`
    }`;
}
