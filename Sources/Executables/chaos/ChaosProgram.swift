import ArgumentParser
import FleetHarness

@main enum ChaosProgram {
    static func main() async { await ChaosCommand.main() }
}
