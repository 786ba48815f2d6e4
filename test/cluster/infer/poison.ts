/** Crops in a record of the poison tests. */
export const HOP = 4;
/** The first pixels of a crop that kills its decoder. */
export const POISON = Buffer.from('kills the decoder');
