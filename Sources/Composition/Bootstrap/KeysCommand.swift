import ArgumentParser
import Credentials
import Domain
import Messaging
import Settings
import Store

/// `tillbridge keys`: the keys that tokens are sealed with.
struct KeysCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "keys", abstract: "Makes, lists and changes the keys that tokens are sealed with.",
        subcommands: [NewKeyCommand.self, ListKeysCommand.self, RotateKeysCommand.self])
}

struct NewKeyCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "new",
        abstract: "Prints a line with a new key for the file that TILLBRIDGE_KEY_FILE names. It is shown once, here.")

    @Option(help: "The key's id: a–z, 0–9 and -. Stored with each row.")
    var id: String?

    func run() throws {
        let day = LiveClock.clock.now().description.prefix(10).replacing("-", with: "")
        let id = id ?? "k\(day)-" + String(UInt16.random(in: 0...UInt16.max), radix: 16)
        let entry = KeyRing.newEntry(id: id)
        do { _ = try KeyRing(parsing: Secret(entry)) } catch {
            throw StartError("--id `\(id)` cannot be used: \(error)")
        }
        OperatorDesk.say(entry)
    }
}

struct ListKeysCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "Lists the ids of the keys and how many connections are sealed with each.")

    @OptionGroup var options: WorkerOptions

    func run() async throws {
        try await OperatorDesk.with(options) { desk in
            let ring = try desk.credentials().keys
            var counts: [String: Int] = [:]
            for connection in try await desk.store.connections() { counts[connection.record.keyID, default: 0] += 1 }
            for (index, key) in ring.keys.enumerated() {
                let count = counts.removeValue(forKey: key.id) ?? 0
                OperatorDesk.say("\(key.id)  \(count) sealed with it\(index == 0 ? ", seals" : ", only opens")")
            }
            for (id, count) in counts.sorted(by: { $0.key < $1.key }) {
                OperatorDesk.say("\(id)  \(count) sealed with it, MISSING from TILLBRIDGE_KEY")
            }
        }
    }
}

struct RotateKeysCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rotate",
        abstract: "Seals all tokens with the first key of TILLBRIDGE_KEY; all or none. Safe to run again.")

    @OptionGroup var options: WorkerOptions

    func run() async throws {
        try await OperatorDesk.with(options) { desk in
            let credentials = try desk.credentials()
            let (sealed, current) = try await credentials.rotate()
            OperatorDesk.say(
                "sealed with \(credentials.keys.current.id): \(sealed) anew, \(current) before")
        }
    }
}
