/** The host's standard output and error as files of the machine. */
import type { HostOutput } from '../src/machine/files/host_stream.ts'
import type { Machine } from '../src/machine/machine.ts'

/** Status of a process that nobody reads from: killed by SIGPIPE. */
const EX_PIPE = 141

const connected = new Map<NodeJS.WriteStream, HostOutput>()

/**
 * Makes one of the host's output streams a file of the machine. Its processes wait while the stream is full, and get
 * SIGPIPE where nobody reads it any more.
 */
export function hostOutput(machine: Machine, stream: NodeJS.WriteStream): HostOutput {
  const output = machine.hostOutput(data => {
    if (!stream.write(data)) output.hold(true)
  })
  connected.set(stream, output)
  stream.on('drain', () => output.hold(false))
  return output
}

/** Lets the end of a reader end the machine's writer, and Linnet itself where it is the writer: never a stack trace. */
export function guardOutputs(): void {
  for (const stream of [process.stdout, process.stderr])
    stream.on('error', () => {
      const output = connected.get(stream)
      if (output === undefined) process.exit(EX_PIPE)
      output.break()
    })
}
