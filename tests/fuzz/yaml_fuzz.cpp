// Partition Manager's YAML, and the rules that read a partition table: any bytes.
#include <cstddef>
#include <cstdint>

#include "base/bytes.hpp"
#include "layout/check.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto text = fota::as_text({data, size});
    if (!fota::layout::PartitionTable::parse(text, "fuzz"))
        return 0;  // most inputs: the rules are for what can be read
    const fota::MemoryFileTree tree({{"prj.conf", "CONFIG_SPI=y\n"},
                                     {"sysbuild.conf", "SB_CONFIG_PM_EXTERNAL_FLASH_MCUBOOT_SECONDARY=y\n"},
                                     {"pm_static.yml", std::string(text)}});
    fota::layout::Inputs inputs;
    inputs.board = "nrf9160dk@1.0.0/nrf9160/ns";
    (void)fota::layout::check(tree, inputs);
    return 0;
}
