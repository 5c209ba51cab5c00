import ArgumentParser
import FleetHarness

@main enum BenchProgram {
    static func main() async { await BenchCommand.main() }
}
