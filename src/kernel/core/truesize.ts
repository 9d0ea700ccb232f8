/** What packets cost a socket's buffers: sizes as the reference kernel's allocator gives them. */

/** Bytes of a `sk_buff`, and of the information behind each buffer. */
const SKB_SIZE = 256
const SHARED_INFO = 320

/** @returns the true size of a packet whose buffer was asked for with `size` bytes (alloc_skb): rounded up as kmalloc does */
export function skbTruesize(size: number): number {
  const wanted = ((size + 63) & ~63) + SHARED_INFO
  let bucket = 512
  while (bucket < wanted) bucket *= 2
  return bucket + SKB_SIZE
}
