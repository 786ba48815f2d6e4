import type avro from 'avsc';

/**
 * Walks the Avro binary of a record without building it. avsc trusts the counts of arrays and maps, so a corrupt message
 * of a few bytes could make it loop for hours. Here a count may not exceed the number of remaining bytes, and all counts
 * together not the number of bytes. Numbers must be finite, and within the range of their type.
 * Throws RangeError if the bytes do not follow the schema.
 */
export function checkBounds(type: avro.Type, bytes: Buffer): void {
  new Reader(bytes).skip(type);
}

class Reader {
  readonly #bytes: Buffer;
  #offset = 0;
  /** Items without bytes, such as nulls, could otherwise be named again and again by a few bytes each time. */
  #itemsLeft: number;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
    this.#itemsLeft = bytes.length;
  }

  skip(type: avro.Type): void {
    if (isUnion(type)) {
      const branch = type.types[this.#long()];
      if (!branch) throw new RangeError('a union has no such branch');
      this.skip(branch);
      return;
    }
    switch (type.typeName) {
      case 'null':
        break;
      case 'boolean':
        this.#advance(1);
        break;
      case 'float':
        this.#advance(4);
        checkFinite(this.#bytes.readFloatLE(this.#offset - 4));
        break;
      case 'double':
        this.#advance(8);
        checkFinite(this.#bytes.readDoubleLE(this.#offset - 8));
        break;
      case 'int': {
        // avsc reads an int as a long.
        const value = this.#long();
        if (value < -(2 ** 31) || value >= 2 ** 31) throw new RangeError(`${value} is no int`);
        break;
      }
      case 'long':
      case 'enum':
        this.#long();
        break;
      case 'string':
      case 'bytes':
        this.#advance(this.#long());
        break;
      case 'fixed':
        this.#advance((type as avro.types.FixedType).size);
        break;
      case 'record':
        for (const field of (type as avro.types.RecordType).fields) this.skip(field.type);
        break;
      case 'array':
        this.#blocks(() => this.skip((type as avro.types.ArrayType).itemsType));
        break;
      case 'map':
        this.#blocks(() => {
          this.#advance(this.#long());
          this.skip((type as avro.types.MapType).valuesType);
        });
        break;
      default:
        throw new RangeError(`unsupported type ${type.typeName}`);
    }
  }

  #blocks(item: () => void): void {
    for (let count = this.#long(); count !== 0; count = this.#long()) {
      if (count < 0) {
        // A negative count is followed by the size of the block in bytes.
        count = -count;
        this.#long();
      }
      this.#itemsLeft -= count;
      if (count > this.#bytes.length - this.#offset || this.#itemsLeft < 0)
        throw new RangeError('more items than bytes');
      while (count-- > 0) item();
    }
  }

  #advance(count: number): void {
    if (count < 0 || count > this.#bytes.length - this.#offset)
      throw new RangeError('the message ends too early');
    this.#offset += count;
  }

  /** A zigzag varint. Values beyond 2^53 are inexact, but no length or count can be that large. */
  #long(): number {
    let value = 0;
    for (let power = 1; ; power *= 128) {
      const byte = this.#bytes[this.#offset++];
      if (byte === undefined || power > 2 ** 63) throw new RangeError('the message ends within a number');
      value += (byte & 127) * power;
      if (byte < 128) return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
    }
  }
}

/** No field of austream's records may be NaN: what is unknown is null. */
function checkFinite(value: number): void {
  if (!Number.isFinite(value)) throw new RangeError(`${value} is no finite number`);
}

function isUnion(type: avro.Type): type is avro.Type & { types: readonly avro.Type[] } {
  return type.typeName.startsWith('union:');
}
