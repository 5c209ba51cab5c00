import ArgumentParser
import FleetHarness

@main enum FleetProgram {
    static func main() async { await FleetCommand.main() }
}
