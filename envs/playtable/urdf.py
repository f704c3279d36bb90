"""The desk and its blocks written as URDF, the robot description format that PyBullet loads."""

from xml.sax.saxutils import quoteattr

from firsthand.envs.playtable import desk_geometry, layouts


def table_urdf(layout: layouts.DeskLayout) -> str:
    """The desk as a URDF document whose links come in the order of `joints`."""
    links = ["base_link", *(joint.link for joint in desk_geometry.joints(layout))]
    everything = desk_geometry.parts(layout)
    body = [_link(link, [p for p in everything if p.link == link]) for link in links]
    body += [_joint(joint) for joint in desk_geometry.joints(layout)]
    return "\n".join(['<robot name="table">', *body, "</robot>"])


def block_urdf(name: str, size: str) -> str:
    """A block of one kilogram."""
    part = desk_geometry.DeskPart(
        name, "box", layouts.BLOCK_SIZES[size], (0, 0, 0), layouts.BLOCK_COLORS[name]
    )
    link = _link(name, [part], mass=1.0, contact=(0.7, 0.001))
    return f"<robot name={quoteattr(name)}>\n{link}\n</robot>"


def _link(
    name: str,
    shapes: list[desk_geometry.DeskPart],
    mass: float | None = None,
    contact: layouts.Extent = (0.5, 0),
) -> str:
    """A link; those of the desk are light enough for 4 N to hold them up, its base is fixed."""
    if mass is None:
        mass = 0.0 if name == "base_link" else desk_geometry.LINK_MASS
    inertia = 'ixx="1" iyy="1" izz="1" ixy="0" ixz="0" iyz="0"'
    lines = [
        f"<link name={quoteattr(name)}>",
        f'<contact><lateral_friction value="{contact[0]}"/>'
        f'<spinning_friction value="{contact[1]}"/></contact>',
        f'<inertial><mass value="{mass}"/><inertia {inertia}/></inertial>',
    ]
    for index, part in enumerate(shapes):
        origin = f'<origin xyz="{_numbers(part.position)}" rpy="{part.roll} 0 0"/>'
        geometry = f"<geometry>{_geometry(part)}</geometry>"
        material = (
            f'<material name="{name}{index}"><color rgba="{_numbers(part.color)} 1"/></material>'
        )
        lines.append(f"<visual>{origin}{geometry}{material}</visual>")
        if part.solid:
            lines.append(f"<collision>{origin}{geometry}</collision>")
    return "\n".join([*lines, "</link>"])


def _geometry(part: desk_geometry.DeskPart) -> str:
    if part.shape == "box":
        return f'<box size="{_numbers(part.size)}"/>'
    if part.shape == "cylinder":
        return f'<cylinder radius="{part.size[0]}" length="{part.size[1]}"/>'
    return f'<sphere radius="{part.size[0]}"/>'


def _joint(joint: desk_geometry.Joint) -> str:
    kind = "fixed" if joint.axis is None else "prismatic"
    motion = (
        ""
        if joint.axis is None
        else f'<axis xyz="{_numbers(joint.axis)}"/>'
        f'<limit lower="0" upper="{joint.upper}" effort="100" velocity="2"/>'
    )
    return (
        f'<joint name="{joint.name}" type="{kind}"><parent link="base_link"/>'
        f'<child link="{joint.link}"/><origin xyz="{_numbers(joint.origin)}"/>{motion}</joint>'
    )


def _numbers(values: tuple[layouts.Number, ...]) -> str:
    return " ".join(f"{value:.6g}" for value in values)
