// The answers of an SMP server, from the header to what each command's parser makes of the map.
#include <cstdint>

#include "smp/commands.hpp"
#include "smp/message.hpp"
#include "smp/refusal.hpp"

using namespace fota;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    (void)smp::decode({data, size});
    const auto map = smp::from_cbor({data, size});
    if (!map) return 0;
    (void)smp::parse_parameters(*map);
    if (const auto images = smp::parse_image_list(*map)) (void)smp::running_slot(*images);
    (void)smp::parse_slot_info(*map);
    (void)smp::parse_shell(*map);
    (void)smp::parse_groups(*map);
    (void)smp::parse_statistics_groups(*map);
    (void)smp::text(*map, "r");
    (void)smp::to_cbor(*map);
    return 0;
}
