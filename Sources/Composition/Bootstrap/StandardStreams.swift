import Glibc

/// One write for many lines. `FileHandle` would need all of Foundation.
func printLines(_ lines: [String]) { printBytes(Array((lines.joined(separator: "\n") + "\n").utf8)) }

func printError(_ line: String) { write(Array((line + "\n").utf8), to: STDERR_FILENO) }

func printBytes(_ bytes: [UInt8]) { write(bytes, to: STDOUT_FILENO) }

private func write(_ bytes: [UInt8], to descriptor: Int32) {
    var done = 0
    while done < bytes.count {
        let count = bytes[done...].withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
        if count < 0 && errno == EINTR { continue }
        // Whoever read this has gone away (`| head`); there is nobody left to tell.
        guard count > 0 else { return }
        done += count
    }
}
