/**
 * Epochs of a live camera. A worker that takes a camera over claims a block of epochs above every epoch known of the
 * camera, and numbers its epochs upwards within it: they grow over all workers and hosts, whatever their clocks show.
 * Blocks begin near the Unix time in milliseconds, so that epochs differ although nothing is known of the camera.
 */
export const EPOCHS_PER_CLAIM = 65_536;

/** Larger epochs are not valid: about the year 2500 in Unix milliseconds. */
export const MAX_EPOCH = 2 ** 44;
/** Larger epochs that others report are not believed: a claim above them would come near `MAX_EPOCH`. */
export const MAX_KNOWN_EPOCH = 2 ** 43;

/** Which claim an epoch belongs to. Claims of one camera are ordered: the newest worker has the highest. */
export function claimOf(epoch: number): number {
  return Math.floor(epoch / EPOCHS_PER_CLAIM);
}

/**
 * The first epoch of a new claim. `known`: the highest epoch of the camera that is known; null: none. `now`: Unix
 * milliseconds, of a clock that may be wrong. `random`: 0…1; workers that claim the same block unseen by each other still
 * have different epochs.
 */
export function newClaim(known: number | null, now: number, random: number): number {
  const byClock = claimOf(Math.min(Math.max(now, 0), MAX_KNOWN_EPOCH));
  const claim = known === null ? byClock : Math.max(byClock, claimOf(known) + 1);
  return claim * EPOCHS_PER_CLAIM + Math.floor((random * EPOCHS_PER_CLAIM) / 2);
}
