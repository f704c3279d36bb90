"""Paraphrases about coloured blocks, with verbs that never occur in training; see
`envs.tasks.instructions`."""

UNSEEN = {
    "rotate": """
        twist the {colour} block to the {side}
        swivel the {colour} cube {side}wards
        pivot the {colour} block {clock} where it lies
        make the {colour} block face further {side}
        wheel the {colour} cube round to the {side}
        reorient the {colour} block by a quarter {clock}
        swing the {colour} block about its middle to the {side}
        crank the {colour} block {clock}
        could you twist that {colour} cube {clock}?
        take the {colour} block and swivel it toward the {side}
        change the heading of the {colour} block to the {side}
        I want the {colour} cube to point more to the {side}
        give the {colour} block a twist to the {side}
        give that {colour} cube a swivel {clock}
        screw the {colour} block round {clock}
        revolve the {colour} block {clock}
        have the {colour} cube revolve toward the {side}
        pinch the {colour} block and twist it {side}
        let the {colour} block pivot to the {side}
        angle the {colour} block further {side}
        adjust the {colour} cube so that it is angled to the {side}
        with the gripper, twist the {colour} block {side}wards
        realign the {colour} cube {clock}
        the {colour} block lies askew, straighten it to the {side}
        bring the {colour} block round to the {side}
        wrench the {colour} cube {clock}
        redirect the {colour} block to the {side} without carrying it away
        whirl the {colour} cube {clock}
        roll your wrist {side} while you hold the {colour} block
        seize the {colour} cube and pivot it {side}
        keep the {colour} block in place but swivel it {side}
        swing the end of the {colour} cube {clock}
        would you please pivot the {colour} block {side}?
        it is time to swivel the {colour} block {clock}
        about ninety degrees {clock} for the {colour} block
        the {colour} cube, by a right angle {clock}
        now twist the {colour} one toward the {side}
        clamp the {colour} cube and wheel it {clock}
        get the {colour} block to face {side}
        skew the {colour} block to the {side}
        the {colour} cube wants a twist {side}wards
        twirl the {colour} block {clock}
    """,
    "push": """
        shove the {colour} block to the {side}
        nudge the {colour} cube {side}wards
        sweep the {colour} block toward the {side}
        scoot the {colour} cube over to the {side}
        drive the {colour} block further {side}
        prod the {colour} block so that it goes {side}
        steer the {colour} cube to the {side}
        budge the {colour} block {side}wards
        propel the {colour} cube to the {side}
        could you nudge that {colour} block to the {side}?
        brush the {colour} cube aside to the {side}
        ease the {colour} block over to the {side}
        bump the {colour} block {side}ward
        herd the {colour} cube to the {side} side
        make some room by shoving the {colour} block {side}
        press from the side so that the {colour} block travels {side}
        get the {colour} cube further to the {side}
        bring the {colour} block {side}wards, keeping it on the desk
        I want the {colour} cube a hand's width further {side}
        with closed fingers, shove the {colour} block {side}
        transport the {colour} block to the {side} along the desk
        send the {colour} cube gliding {side}
        give the {colour} block a shove to the {side}
        give the {colour} cube a nudge {side}wards
        relocate the {colour} block to the {side}
        displace the {colour} cube to the {side}
        coax the {colour} block {side}wards
        the {colour} block is in the way, sweep it to the {side}
        lean on the {colour} cube until it has gone {side}
        thrust the {colour} block {side}wards
        shuffle the {colour} cube along to the {side}
        guide the {colour} block across the table to the {side}
        would you please shove the {colour} cube {side}?
        force the {colour} block to the {side}
        poke the {colour} cube away to the {side}
        let the {colour} block glide {side}
        scrape the {colour} block along to the {side}
        have the {colour} cube end up further {side}
        work the {colour} block {side}wards with the fingertips
        jostle the {colour} cube to the {side}
        now sweep the {colour} one {side}wards
        urge the {colour} block on to the {side}
    """,
    "lift_table": """
        hoist the {colour} block from the table
        raise the {colour} cube above the desk
        fetch the {colour} block that is on the table
        scoop up the {colour} cube from the tabletop
        seize the {colour} block on the desk and raise it
        elevate the {colour} cube from the table surface
        snatch the {colour} block up from the desk
        get hold of the {colour} cube on the table and hoist it
        collect the {colour} block lying on the desk
        gather up the {colour} cube from the table
        could you hoist that {colour} cube from the desk?
        pluck the {colour} block from the tabletop
        bring the {colour} block up from the desk
        heave the {colour} cube off the tabletop
        hold the {colour} block in the air above the table
        I want the {colour} cube off the desk and in the gripper
        clutch the {colour} block on the table and raise it
        clasp the {colour} cube on the desk, then hoist it
        retrieve the {colour} block from the table top
        acquire the {colour} cube on the table and bring it up
        let the {colour} block leave the table
        haul the {colour} cube up from the desk
        pinch the {colour} block on the table and carry it upwards
        get the {colour} block up off the desk
        have the {colour} cube hover above the table
        secure the {colour} block from the tabletop in your gripper
        the {colour} cube on the desk should be raised
        clamp the {colour} block on the table and bring it upwards
        catch hold of the {colour} cube on the desk and heave it up
        draw the {colour} block upwards off the table
        would you please fetch the {colour} cube off the desk?
        remove the {colour} block from the table surface
        the gripper should carry the {colour} cube above the desk
        clear the {colour} block off the table by raising it
        nip the {colour} cube on the table and hoist it up
        reach down to the desk and fetch the {colour} cube
        bring the {colour} block straight up from the tabletop
        suspend the {colour} cube over the table
        obtain the {colour} block from the desk
        now hoist the {colour} one from the tabletop
        hoist up that {colour} cube lying on the desk
        heft the {colour} block from the table
    """,
    "lift_slider": """
        hoist the {colour} block from the shelf
        raise the {colour} cube out of the cabinet
        fetch the {colour} block that is in the sliding cabinet
        scoop up the {colour} cube from the cabinet floor
        seize the {colour} block behind the door and raise it
        elevate the {colour} cube from the shelf
        snatch the {colour} block out of the cabinet
        get hold of the {colour} cube on the shelf and hoist it
        collect the {colour} block lying in the cabinet
        gather up the {colour} cube from the shelf
        could you hoist that {colour} cube out of the cabinet?
        pluck the {colour} block from the compartment
        bring the {colour} block out of the sliding cabinet
        heave the {colour} cube off the shelf
        extract the {colour} block from behind the sliding door
        I want the {colour} cube out of the cabinet and in the gripper
        clutch the {colour} block in the cabinet and raise it
        clasp the {colour} cube on the shelf, then hoist it
        retrieve the {colour} block from the sliding cabinet
        acquire the {colour} cube inside the cabinet and bring it up
        let the {colour} block leave the shelf
        haul the {colour} cube up from behind the door
        pinch the {colour} block on the shelf and carry it upwards
        get the {colour} block out of the compartment
        have the {colour} cube hover over the shelf
        secure the {colour} block from the cabinet in your gripper
        the {colour} cube in the cabinet should be raised
        clamp the {colour} block in the compartment and bring it upwards
        catch hold of the {colour} cube on the shelf and heave it up
        draw the {colour} block upwards out of the cabinet
        would you please fetch the {colour} cube from the shelf?
        remove the {colour} block from the cabinet
        the gripper should carry the {colour} cube out of the cabinet
        empty the compartment of the {colour} block
        nip the {colour} cube behind the door and hoist it up
        reach behind the door and fetch the {colour} cube
        unload the {colour} block from the shelf
        free the {colour} cube from the cabinet
        obtain the {colour} block from the shelf
        now hoist the {colour} one from the cabinet
        recover the {colour} cube from behind the sliding door
        heft the {colour} block from the shelf of the cabinet
    """,
    "lift_drawer": """
        hoist the {colour} block from the drawer
        raise the {colour} cube out of the drawer
        fetch the {colour} block that is in the drawer
        scoop up the {colour} cube from the bottom of the drawer
        seize the {colour} block in the drawer and raise it
        elevate the {colour} cube from the drawer
        snatch the {colour} block out of the drawer
        get hold of the {colour} cube in the drawer and hoist it
        collect the {colour} block lying in the drawer
        gather up the {colour} cube from the drawer
        could you hoist that {colour} cube out of the drawer?
        pluck the {colour} block from the open drawer
        bring the {colour} block out of the drawer
        heave the {colour} cube out of the drawer
        extract the {colour} block from the desk drawer
        I want the {colour} cube out of the drawer and in the gripper
        clutch the {colour} block in the drawer and raise it
        clasp the {colour} cube in the drawer, then hoist it
        retrieve the {colour} block from the drawer
        acquire the {colour} cube inside the drawer and bring it up
        let the {colour} block leave the drawer
        haul the {colour} cube up from the drawer
        pinch the {colour} block in the drawer and carry it upwards
        get the {colour} block out of the drawer
        have the {colour} cube hover above the drawer
        secure the {colour} block from the drawer in your gripper
        the {colour} cube in the drawer should be raised
        clamp the {colour} block in the drawer and bring it upwards
        catch hold of the {colour} cube in the drawer and heave it up
        draw the {colour} block upwards out of the drawer
        would you please fetch the {colour} cube from the drawer?
        remove the {colour} block from the drawer
        the gripper should carry the {colour} cube out of the drawer
        empty the drawer of the {colour} block
        nip the {colour} cube in the drawer and hoist it up
        dip into the drawer and fetch the {colour} cube
        unload the {colour} block from the drawer
        free the {colour} cube from the drawer
        obtain the {colour} block from the drawer
        now hoist the {colour} one from the drawer
        recover the {colour} cube from the bottom of the drawer
        heft the {colour} block from the desk drawer
    """,
}
