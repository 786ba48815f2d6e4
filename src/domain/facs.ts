/** Description of one Action Unit for people (Ekman, Friesen & Hager, FACS 2002). */
export interface ActionUnit {
  readonly name: string;
  readonly muscle: string;
  readonly region: 'brow' | 'eye' | 'mouth';
}

/** By AU number. */
export const ACTION_UNIT_FACTS: Readonly<Record<number, ActionUnit>> = {
  1: { name: 'Inner brow raiser', muscle: 'frontalis, medial part', region: 'brow' },
  2: { name: 'Outer brow raiser', muscle: 'frontalis, lateral part', region: 'brow' },
  4: { name: 'Brow lowerer', muscle: 'corrugator supercilii', region: 'brow' },
  6: { name: 'Cheek raiser', muscle: 'orbicularis oculi, orbital part', region: 'eye' },
  7: { name: 'Lid tightener', muscle: 'orbicularis oculi, palpebral part', region: 'eye' },
  10: { name: 'Upper lip raiser', muscle: 'levator labii superioris', region: 'mouth' },
  12: { name: 'Lip corner puller', muscle: 'zygomaticus major', region: 'mouth' },
  15: { name: 'Lip corner depressor', muscle: 'depressor anguli oris', region: 'mouth' },
  23: { name: 'Lip tightener', muscle: 'orbicularis oris', region: 'mouth' },
  24: { name: 'Lip pressor', muscle: 'orbicularis oris', region: 'mouth' },
  25: { name: 'Lips part', muscle: 'depressor labii inferioris', region: 'mouth' },
  26: { name: 'Jaw drop', muscle: 'masseter, relaxed', region: 'mouth' },
};
