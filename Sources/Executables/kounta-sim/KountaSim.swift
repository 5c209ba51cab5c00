import ArgumentParser
import KountaSimulator

/// Runs the Kounta simulator until it is told to stop.
@main
struct KountaSim: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "kounta-sim", abstract: "A stand-in for the Kounta API with trade of its own.")

    @OptionGroup var options: KountaOptions

    func run() async throws {
        try await KountaProcess.run(options)
    }
}
