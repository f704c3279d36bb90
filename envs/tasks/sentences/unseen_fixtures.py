"""Paraphrases about doors and drawers, with verbs that never occur in training; see
`envs.tasks.instructions`."""

UNSEEN = {
    "slider": """
        shove the cabinet door over to the {side}
        shift the sliding door {side}wards
        ease the panel toward the {side}
        nudge the sliding door until it is on the {side}
        bring the cabinet door to the {side}
        send the sliding door to the {side} end
        guide the panel over to the {side} hand side
        pull the sliding door toward the {side}
        tug the handle of the cabinet door to the {side}
        haul the sliding panel {side}wards
        could you shift that panel to the {side}?
        draw the door of the cabinet across to the {side}
        let the sliding door glide {side}
        transfer the sliding door to its {side} position
        roll the cabinet door along to the {side}
        I want the sliding door at the {side} end
        have the panel end up on the {side}
        hook the handle and bring the door {side}wards
        force the sliding door to the {side}
        give the cabinet door a shove to the {side}
        get the sliding door over to the {side}
        the cabinet door is to go {side}
        direct the sliding panel to the {side}
        glide the cabinet door {side}wards
        sweep the door handle to the {side}
        press against the handle so that the door travels {side}
        propel the sliding door toward the {side}
        work the panel along its rail to the {side}
        run the door along its track to the {side}
        would you please shove the sliding door {side}?
        carry the door handle over to the {side}
        steer the cabinet door to the {side} side
        scoot the panel {side}wards
        put the sliding door on the {side}
        set the cabinet door to the {side} position
        cover the {side} part of the shelf with the sliding door
        leave the cabinet door at the {side} end of its rail
        lead the panel of the cabinet to the {side}
        thrust the door of the shelf to the {side}
        relocate the sliding door to the {side}
        transport the panel as far {side} as it goes
        now shift the cabinet door to the {side}
    """,
    "open_drawer": """
        tug the drawer out
        yank the handle of the drawer
        draw the drawer toward you
        slide out the drawer
        extend the drawer from the desk
        bring the drawer out
        haul out the drawer by its handle
        ease the drawer out from under the table top
        drag the drawer out as far as it goes
        make the drawer come out
        could you slide the drawer out?
        have the drawer stick out of the desk
        extract the drawer by its bar
        roll the drawer out
        I want to see into the drawer
        give me access to the inside of the drawer
        expose what is in the drawer
        reveal the inside of the drawer
        let the drawer slide out toward the front
        move the drawer outward
        shift the drawer toward the front
        give the drawer handle a tug
        give the drawer a good yank
        the drawer should come out of the desk
        work the drawer out of its slot
        unclose the drawer
        jerk the drawer forward
        get the drawer out from under the desk
        hook a finger behind the bar and drag the drawer out
        would you please slide out the drawer?
        catch the handle of the drawer and draw it out
        lead the drawer out by its handle
        heave the drawer forward
        uncover the contents of the drawer
        take the drawer out to its full length
        seize the drawer's handle and tug it toward you
        run the drawer out all the way
        grip the drawer's bar and bring it forward
        the drawer is shut, make it slide out
        I need something out of the drawer, draw it out
        stretch the drawer out to the front
        now tug at the drawer
    """,
    "close_drawer": """
        shove the drawer in
        slide the drawer back in
        move the drawer inward
        return the drawer to the desk
        tuck the drawer in under the table top
        ease the drawer back into place
        seal the drawer
        press the drawer's front into the desk
        send the drawer back in
        make the drawer go back in
        could you slide the drawer back?
        retract the drawer
        nudge the drawer inward until it stops
        drive the drawer home
        I want the drawer back in the desk
        hide the inside of the drawer
        cover up what is in the drawer
        let the drawer disappear under the table top
        bring the drawer back to where it was
        shift the drawer toward the back
        give the drawer a shove
        give the drawer handle a nudge toward the desk
        the drawer should go back into the desk
        work the drawer back into its slot
        slam the drawer
        put the drawer back in
        get the drawer back under the desk
        place a finger on the bar and slide the drawer in
        lean on the drawer until it is in
        would you please slide in the drawer?
        no drawer should stick out of the desk
        guide the drawer in by its handle
        thrust the drawer back
        conceal the contents of the drawer
        run the drawer in all the way
        press on the drawer's handle until the front is flush
        move back the drawer that sticks out
        the drawer has come out, send it back
        force the drawer inward
        roll the drawer back in
        secure the drawer in the desk
        now shove in the drawer
    """,
}
