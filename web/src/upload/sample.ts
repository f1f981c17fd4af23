/** A small document for whoever has none at hand. */
const text = `# How a canal lock works

A lock lifts or lowers a boat between two stretches of water that stand at different heights. It is a chamber with
watertight gates at both ends. The water does all the lifting: no pump and no crane is needed, only gravity and a
way to let water in and out.

## The parts

The **chamber** is the basin between the gates, long and wide enough for the largest boat that the canal allows.
The **gates** close it at both ends. Most are mitre gates: two leaves that meet in a shallow V pointing upstream, so
that the pressure of the higher water holds them shut. The **paddles**, called sluices in some countries, are small
doors over openings in the gates or the walls. They are raised to let water through.

## Going up

1. The boat enters the empty chamber from below, and the lower gates close behind it.
2. The upper paddles are raised. Water flows in from above, and the boat rises with it.
3. When the level inside equals the level above, the pressure on both sides of the upper gates is the same, and they
   swing open easily. The boat leaves.

Trying to open a gate earlier is hopeless: a difference of ten centimetres presses on a gate with the weight of
several tonnes.

## Going down

Everything happens the other way round. The chamber is full when the boat enters, the upper gates close, and the
lower paddles let the water run out until the level matches the stretch below.

## Saving water

Every passage sends one chamber of water downhill. In dry summers that is a lot to lose, so some locks have side
ponds: basins beside the chamber that take part of the water when it empties and give it back at the next filling.
With two side ponds about half of the water is saved.

## A short history

Early canals had single gates, called flash locks: a gap in a weir was opened and boats rode the rush of water down,
or were hauled up against it. The pound lock with two gates is described in China in the year 984, built by the
engineer Qiao Weiyue on the Grand Canal. The mitre gate came later, in fifteenth century Milan.
`;

export const sampleName = "how-a-canal-lock-works.md";

export function sampleFile(): File {
  return new File([text], sampleName, { type: "text/markdown" });
}

/** What the sample answers well. */
export const sampleQuestion = "how do side ponds save water";
