import type avro from 'avsc';

/** Whether records of this type hold arrays or maps. */
export function hasCollections(type: avro.Type): boolean {
  switch (type.typeName) {
    case 'array':
    case 'map':
      return true;
    case 'record':
      return (type as avro.types.RecordType).fields.some((field) => hasCollections(field.type));
    default:
      return isUnion(type) && type.types.some(hasCollections);
  }
}

/**
 * Walks a record's bytes without building it. avsc believes the counts of arrays and maps, so that a damaged
 * message of a few bytes could keep it busy for ever; here each item must be paid for with bytes.
 * Throws RangeError where the bytes do not follow the schema.
 */
export function checkCollectionBounds(type: avro.Type, bytes: Buffer): void {
  new Walker(bytes).skip(type);
}

class Walker {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  skip(type: avro.Type): void {
    if (isUnion(type)) {
      const branch = type.types[this.#long()];
      if (!branch) throw new RangeError('no such branch of a union');
      this.skip(branch);
      return;
    }
    switch (type.typeName) {
      case 'null':
        break;
      case 'boolean':
        this.#take(1);
        break;
      case 'float':
        this.#take(4);
        break;
      case 'double':
        this.#take(8);
        break;
      case 'int':
      case 'long':
      case 'enum':
        this.#long();
        break;
      case 'string':
      case 'bytes':
        this.#take(this.#long());
        break;
      case 'fixed':
        this.#take((type as avro.types.FixedType).size);
        break;
      case 'record':
        for (const field of (type as avro.types.RecordType).fields) this.skip(field.type);
        break;
      case 'array':
        this.#blocks(() => this.skip((type as avro.types.ArrayType).itemsType));
        break;
      case 'map':
        this.#blocks(() => {
          this.#take(this.#long());
          this.skip((type as avro.types.MapType).valuesType);
        });
        break;
      default:
        throw new RangeError(`${type.typeName} is not expected here`);
    }
  }

  #blocks(item: () => void): void {
    for (let count = this.#long(); count !== 0; count = this.#long()) {
      if (count < 0) {
        count = -count;
        this.#long();
      }
      if (count > this.#bytes.length - this.#at) throw new RangeError('more items than bytes');
      while (count-- > 0) item();
    }
  }

  #take(count: number): void {
    if (count < 0 || count > this.#bytes.length - this.#at) throw new RangeError('ends too early');
    this.#at += count;
  }

  /** A zigzag varint; beyond 2^53 its value does not matter, for nothing can be that long. */
  #long(): number {
    let value = 0;
    for (let power = 1; ; power *= 128) {
      const byte = this.#bytes[this.#at++];
      if (byte === undefined || power > 2 ** 63) throw new RangeError('ends within a number');
      value += (byte & 127) * power;
      if (byte < 128) return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
    }
  }
}

function isUnion(type: avro.Type): type is avro.Type & { types: readonly avro.Type[] } {
  return type.typeName.startsWith('union:');
}
