import { describe, expect, it } from 'vitest'
import { TunFile, tunSetIff } from '../../../src/kernel/drivers/tun.ts'
import { Errno } from '../../../src/uapi/errno.ts'
import { IFF_LOWER_UP, IFF_NOARP, IFF_POINTOPOINT } from '../../../src/uapi/if.ts'
import { IFF_MULTI_QUEUE, IFF_NO_PI, IFF_TAP, IFF_TUN } from '../../../src/uapi/ioctl.ts'
import { failure, Lab } from '../core/net_lab.ts'

function open(lab: Lab, name: string, flags: number): TunFile {
  const file = tunSetIff(lab.net, name, flags)
  if (typeof file === 'number') throw new Error(`TUNSETIFF: ${file}`)
  return file
}

describe('tun', () => {
  it('makes devices named or numbered, which go with their file unless they persist', () => {
    const lab = new Lab()
    const first = open(lab, '', IFF_TUN)
    open(lab, 'tap%d', IFF_TAP).setPersist(true)
    expect(lab.names()).toEqual(['lo', 'tun0', 'tap0'])
    first.close()
    expect(lab.names()).toEqual(['lo', 'tap0'])
    expect(lab.show('tap0').attrs.linkinfo).toMatchObject({ kind: 'tun', data: { type: IFF_TAP, persist: 1, pi: 1 } })
  })

  it('refuses a second file without queues for it, and devices of another kind', () => {
    const lab = new Lab()
    open(lab, 't', IFF_TUN)
    lab.add('d', { kind: 'dummy' })
    const second = new TunFile(lab.net)
    expect(second.setIff('t', IFF_TUN)).toBe(-Errno.EBUSY)
    expect(second.setIff('t', IFF_TAP)).toBe(-Errno.EINVAL)
    expect(second.setIff('d', IFF_TUN)).toBe(-Errno.EINVAL)
    expect(second.setIff('x', 0)).toBe(-Errno.EINVAL)
    open(lab, 'q', IFF_TUN | IFF_MULTI_QUEUE)
    expect(second.setIff('q', IFF_TUN | IFF_MULTI_QUEUE)).toBe('q')
    expect(failure(() => lab.add('n', { kind: 'tun' }))).toBe(
      'EOPNOTSUPP: tun/tap creation via rtnetlink is not supported.',
    )
  })

  it('has a carrier while its file is open', () => {
    const lab = new Lab()
    const file = open(lab, 't', IFF_TUN)
    file.setPersist(true)
    lab.up('t')
    lab.sleep(1)
    const flags = lab.show('t').ifFlags
    expect(flags & (IFF_POINTOPOINT | IFF_NOARP | IFF_LOWER_UP)).toBe(IFF_POINTOPOINT | IFF_NOARP | IFF_LOWER_UP)
    file.close()
    lab.sleep(2)
    expect(lab.show('t').ifFlags & IFF_LOWER_UP).toBe(0)
  })

  it('hands packets through, with a header that tells the protocol unless IFF_NO_PI', () => {
    const lab = new Lab()
    const plain = open(lab, 't', IFF_TUN | IFF_NO_PI)
    expect(plain.write(Uint8Array.of(0x45, 0, 0, 20))).toBe(-Errno.EIO)
    lab.up('t')
    const seen: string[] = []
    lab.kernel.netcore.addPack({
      type: 0x1234,
      dev: undefined,
      net: undefined,
      func(skb, dev) {
        seen.push(`${dev.name} ${skb.len}`)
        skb.consume()
        return 0
      },
    })
    expect(plain.write(Uint8Array.of(0x15, 0))).toBe(-Errno.EINVAL)
    const told = open(lab, 'p', IFF_TUN)
    lab.up('p')
    expect(told.write(Uint8Array.of(0, 0, 0x12, 0x34, 1, 2, 3))).toBe(7)
    expect(seen).toEqual(['p 3'])
    const skb = lab.kernel.skbs.alloc(100)
    skb.reserve(32)
    skb.buf.set([9, 8], skb.put(2))
    skb.dev = lab.dev('p')
    skb.protocol = 0x1234
    lab.kernel.netcore.queueXmit(skb)
    expect([...(told.read() as Uint8Array)]).toEqual([0, 0, 0x12, 0x34, 9, 8])
    expect(told.read()).toBe(-Errno.EAGAIN)
    expect(lab.show('p').attrs.stats64).toMatchObject({ rxPackets: 1, rxBytes: 3, txPackets: 1, txBytes: 2 })
  })
})
